package api

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limiter keeps a bot below Telegram's limits. Chat 0 means no chat in particular. If the limiter itself
// fails, the call goes through: Telegram's 429 decides.
type Limiter interface {
	// Wait returns when a message may be sent, or with the error of ctx.
	Wait(ctx context.Context, bot, chat int64) error
	// Block holds back messages to the chat for d; for chat 0, all of the bot's.
	Block(ctx context.Context, bot, chat int64, d time.Duration) error
}

func chatOf(params []byte) int64 {
	id, _ := findChat(params)
	return id
}

// findChat also gives the offsets of chat_id's value in params.
func findChat(params []byte) (id int64, at [2]int) {
	r := borrowReader(params)
	defer r.giveBack()
	if t, err := r.dec.ReadToken(); err != nil || t.Kind() != '{' {
		return 0, at
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadValue()
		if err != nil {
			return 0, at
		}
		found := isNamed(name, "chat_id")
		v, err := r.dec.ReadValue()
		if err != nil {
			return 0, at
		}
		if found {
			end := int(r.dec.InputOffset())
			return chatID(v), [2]int{end - len(v), end}
		}
	}
	return 0, at
}

type reader struct {
	dec *jsontext.Decoder
	buf bytes.Buffer
}

//nolint:gochecknoglobals // a pool is shared by nature and holds nothing that outlives a call
var readers = sync.Pool{New: func() any { return &reader{dec: jsontext.NewDecoder(&bytes.Buffer{})} }}

func borrowReader(params []byte) *reader {
	r, _ := readers.Get().(*reader)
	r.buf = *bytes.NewBuffer(params)
	r.dec.Reset(&r.buf)
	return r
}

func (r *reader) giveBack() {
	r.buf = bytes.Buffer{}
	r.dec.Reset(&r.buf)
	readers.Put(r)
}

func isNamed(quoted jsontext.Value, name string) bool {
	if len(quoted) == len(name)+2 {
		return string(quoted[1:len(quoted)-1]) == name
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return false
	}
	unquoted, err := jsontext.AppendUnquote(nil, quoted)
	return err == nil && string(unquoted) == name
}

func chatID(v jsontext.Value) int64 {
	text := string(v)
	if v.Kind() == '"' {
		text = text[1 : len(text)-1]
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func withChat(params []byte, chat int64) ([]byte, bool) {
	id, at := findChat(params)
	if id == 0 || id == chat {
		return nil, false
	}
	out := make([]byte, 0, len(params)+8)
	out = append(out, params[:at[0]]...)
	out = strconv.AppendInt(out, chat, 10)
	return append(out, params[at[1]:]...), true
}

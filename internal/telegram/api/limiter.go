package api

import (
	"bytes"
	"context"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limiter holds calls back that Telegram would refuse. Chat 0 stands for no chat in particular; kind is message,
// bulk, edit, or a method in lower case. Errors of its own let the call through: the 429 is the truth.
type Limiter interface {
	// Wait returns when a call may be made, or with the error of ctx.
	Wait(ctx context.Context, bot, chat int64, kind string) error
	// Block holds such calls into the chat back for d; for chat 0, all of the bot's.
	Block(ctx context.Context, bot, chat int64, kind string, d time.Duration) error
}

type bulkKey struct{}

// Bulk marks the messages under ctx as bulk: they go behind replies, and stay under Telegram's figures for bulk.
func Bulk(ctx context.Context) context.Context { return context.WithValue(ctx, bulkKey{}, true) }

func isBulk(ctx context.Context) bool {
	bulk, _ := ctx.Value(bulkKey{}).(bool)
	return bulk
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

// namedChat stands for a chat that a call names by its @username: below 0, as only groups and channels have one. It
// is 0 where the call names none.
func namedChat(params []byte) int64 {
	_, at := findChat(params)
	name := params[at[0]:at[1]]
	if len(name) < 3 || name[1] != '@' {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(bytes.ToLower(name))
	return -1<<53 - int64(h.Sum64()>>2) // below the number of any chat
}

package telegram

import (
	"context"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limiter keeps a bot below Telegram's limits. Chat 0 stands for no chat in
// particular. Errors of its own let the call through: the 429 is the truth.
type Limiter interface {
	// Wait returns when a message may be sent, or with the error of ctx.
	Wait(ctx context.Context, bot, chat int64) error
	// Block holds messages into the chat back for d; for chat 0, all of the bot's.
	Block(ctx context.Context, bot, chat int64, d time.Duration) error
}

// chatOf reads the chat of a call: a number, or a string of digits. User names,
// and calls without a chat, give 0.
func chatOf(params []byte) int64 {
	id, _ := findChat(params)
	return id
}

// findChat also gives where the value of chat_id stands in params.
func findChat(params []byte) (id int64, at [2]int) {
	w := borrowWalker(params)
	defer w.giveBack()
	isObject, err := w.enter()
	if err != nil || !isObject {
		return 0, at
	}
	for {
		name, more, err := w.next()
		if err != nil || !more {
			return 0, at
		}
		found := string(name) == "chat_id"
		v, err := w.read()
		if err != nil {
			return 0, at
		}
		if found {
			end := int(w.dec.InputOffset())
			return chatID(v), [2]int{end - len(v), end}
		}
	}
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

// withChat puts another chat in the place of the call's.
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

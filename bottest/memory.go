package bottest

import (
	"fmt"
	"time"

	"github.com/chatlane/chatlane/bot"
)

// Strategy says which updates share a conversation.
type Strategy string

// The strategies, as CHATLANE_FSM_STRATEGY has them.
const (
	UserInChat  Strategy = "user_in_chat"
	Chat        Strategy = "chat"
	GlobalUser  Strategy = "global_user"
	UserInTopic Strategy = "user_in_topic"
	ChatTopic   Strategy = "chat_topic"
)

// key names the conversation of an update; empty where it has none.
func (s Strategy) key(p bot.Parts) string {
	chat, user, thread := p.Chat, p.User, p.Thread
	if chat == 0 {
		chat = user
	}
	switch s {
	case Chat:
		user, thread = chat, 0
	case ChatTopic:
		user = chat
	case GlobalUser:
		chat, thread = user, 0
	case UserInTopic:
	default:
		thread = 0
	}
	if chat == 0 || user == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%d/%d/%d", p.Business, chat, thread, user)
}

// memory is one conversation's state, and the buffer of a turn.
type memory struct {
	step       string
	data, meta []byte
}

func (m *memory) State() string      { return m.step }
func (m *memory) SetState(s string)  { m.step = s }
func (m *memory) Data() []byte       { return m.data }
func (m *memory) SetData(raw []byte) { m.data = raw }
func (m *memory) Meta() []byte       { return m.meta }
func (m *memory) SetMeta(raw []byte) { m.meta = raw }

// recall gives a copy of what is kept.
func (w *World) recall(key string) memory {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.memories[key]; m != nil {
		return *m
	}
	return memory{}
}

// keep commits a turn: its state and its wish about the timer.
func (w *World) keep(key string, m memory, t *bot.Turn, p bot.Parts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.step == "" && len(m.data) == 0 && len(m.meta) == 0 {
		delete(w.memories, key)
	} else {
		w.memories[key] = &m
	}
	after, token, armed, cancel := t.Timeout()
	switch {
	case armed:
		p.Raw = bot.TimeoutEvent{State: bot.Step(m.step), Token: token}.Encode()
		p.Type, p.Update, p.Album, p.State = bot.Timeout.String(), nil, nil, nil
		w.timers[key] = alarm{at: w.now.Add(after), parts: p}
	case cancel:
		delete(w.timers, key)
	}
}

// alarm is an armed timer.
type alarm struct {
	at    time.Time
	parts bot.Parts
}

// Advance moves the clock by d, and fires on the way what comes due, in order.
func (w *World) Advance(d time.Duration) {
	w.t.Helper()
	until := w.Now().Add(d)
	for {
		p, ok := w.due(until)
		if !ok {
			return
		}
		w.mustSucceed(w.turn(w.t.Context(), w.lane(p), p))
	}
}

// due takes the first timer that fires until then, and sets the clock to it.
func (w *World) due(until time.Time) (bot.Parts, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := ""
	for key, a := range w.timers {
		if a.at.After(until) {
			continue
		}
		if first == "" || a.at.Before(w.timers[first].at) || a.at.Equal(w.timers[first].at) && key < first {
			first = key
		}
	}
	if first == "" {
		w.now = until
		return bot.Parts{}, false
	}
	a := w.timers[first]
	a.parts.Received = a.at
	delete(w.timers, first)
	w.now = a.at
	return a.parts, true
}

package bottest

import (
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
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

func (s Strategy) parse(t T) fsm.Strategy {
	t.Helper()
	if s == "" {
		s = UserInChat
	}
	strategy, err := fsm.ParseStrategy(string(s))
	if err != nil {
		t.Fatalf("Config.Strategy: %v", err)
	}
	return strategy
}

// key is empty where there is no conversation.
func (w *World) key(s lane.Scope) string {
	key, _ := w.strategy.Key(s)
	return key
}

// conversation is one conversation's state, and the buffer of a turn.
type conversation struct {
	state      string
	data, meta []byte
}

func (m *conversation) State() string      { return m.state }
func (m *conversation) SetState(s string)  { m.state = s }
func (m *conversation) Data() []byte       { return m.data }
func (m *conversation) SetData(raw []byte) { m.data = raw }
func (m *conversation) Meta() []byte       { return m.meta }
func (m *conversation) SetMeta(raw []byte) { m.meta = raw }

func (w *World) load(key string) conversation {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.conversations[key]; m != nil {
		return *m
	}
	return conversation{}
}

func (w *World) commit(key string, m conversation, t *bot.Turn, a arrival) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.state == "" && len(m.data) == 0 && len(m.meta) == 0 {
		delete(w.conversations, key)
	} else {
		w.conversations[key] = &m
	}
	timer := w.compiled().Timer(t)
	switch {
	case timer.After > 0:
		p := a.parts
		p.Raw = bot.TimeoutEvent{State: bot.State(m.state), Token: timer.Token}.Encode()
		p.Type, p.Update, p.Album, p.Session = bot.Timeout.String(), nil, nil, nil
		w.timers[key] = armedTimer{at: wholeSecond(w.now.Add(max(timer.After, time.Second))), arrival: arrival{scope: a.scope, parts: p}}
	case timer.Cancel:
		delete(w.timers, key)
	}
}

type armedTimer struct {
	arrival
	at time.Time
}

// wholeSecond rounds up: the broker's schedules, a worker's timers, have seconds, and none is early. As in
// internal/queue, which would bring the broker along.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// Advance moves the clock by d and fires the timers that come due, in order. As in a worker, a timer runs for
// a second or more and fires at a whole second.
func (w *World) Advance(d time.Duration) {
	w.t.Helper()
	until := w.Now().Add(d)
	for {
		a, ok := w.due(until)
		if !ok {
			return
		}
		w.mustSucceed(w.turn(w.t.Context(), a))
	}
}

// due takes the first timer that fires by until, and sets the clock to it.
func (w *World) due(until time.Time) (arrival, bool) {
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
		return arrival{}, false
	}
	a := w.timers[first]
	a.parts.Received = a.at
	delete(w.timers, first)
	w.now = a.at
	return a.arrival, true
}

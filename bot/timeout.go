package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// TimeoutEvent is the body of the "timeout" update that arrives in the lane when a conversation's timer fires.
type TimeoutEvent struct {
	State State  `json:"state"`
	Token string `json:"token"`
}

// Encode writes the body as JSON.
func (e TimeoutEvent) Encode() []byte {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err) // two strings always encode
	}
	return raw
}

// DecodeTimeout reads what [TimeoutEvent.Encode] wrote.
func DecodeTimeout(raw []byte) (TimeoutEvent, error) {
	var e TimeoutEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("decode timeout: %w", err)
	}
	if e.State == None || e.Token == "" {
		return e, fmt.Errorf("decode timeout: state or token is missing")
	}
	return e, nil
}

// OnTimeout registers a handler for conversations that have been at one of these states for d, counted from
// the last time the state was set. With d = 0 only [Turn.ExpireIn] sets the time. The timer is stored as
// durably as the state. It fires in the conversation's lane, in whole seconds and never early. A state has
// one timeout in the whole tree.
func (r *Router) OnTimeout(h Handler, d time.Duration, states ...State) *Route {
	r.mustBeOpen("OnTimeout")
	if len(states) == 0 || d < 0 {
		panic(fmt.Sprintf("bot: router %q: OnTimeout wants states and a time of 0 or more", r.name))
	}
	if r.durations == nil {
		r.durations = map[State]time.Duration{}
	}
	for _, s := range states {
		if d == 0 {
			continue
		}
		if _, twice := r.durations[s]; twice {
			panic(fmt.Sprintf("bot: router %q: state %q has two timeouts", r.name, s))
		}
		r.durations[s] = d
	}
	label := "timeout"
	if d > 0 {
		label = "after " + short(d)
	}
	return r.On(Timeout, h, InState(states...).Named(label))
}

func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// ExpireIn restarts the current state's timer with d; 0 cancels it. It fails with ErrNoState at [None].
func (t *Turn) ExpireIn(d time.Duration) error {
	if t.p.Session == nil || t.State() == None {
		return ErrNoState
	}
	t.disarm()
	if d > 0 {
		t.arm(d)
	}
	t.saveMeta()
	return nil
}

func (t *Turn) duration(s State) time.Duration {
	if t.program == nil {
		return 0
	}
	return t.program.durations[s]
}

func (t *Turn) arm(d time.Duration) {
	t.timer = Timer{After: d, Token: t.nextToken(), Former: t.timer.Former}
	t.loadMeta().Token = t.timer.Token
}

func (t *Turn) disarm() {
	token := t.loadMeta().Token
	if token == "" {
		return
	}
	former := t.timer.Former
	if t.timer.After == 0 {
		former = token
	}
	t.loadMeta().Token = ""
	t.timer = Timer{Cancel: true, Former: former}
}

// nextToken is the same at every attempt of a turn and differs between turns: a timer that fires late finds
// another token in the state, and is ignored.
func (t *Turn) nextToken() string {
	if t.typ == Timeout {
		if e, err := DecodeTimeout(t.p.Raw); err == nil {
			base, count, _ := strings.Cut(e.Token, ".")
			n, _ := strconv.Atoi(count)
			return base + "." + strconv.Itoa(n+1)
		}
	}
	if id := t.id(); id != 0 {
		return strconv.FormatInt(id, 36)
	}
	h := fnv.New64a()
	_, _ = h.Write(t.p.Raw)
	return "h" + strconv.FormatUint(h.Sum64(), 36)
}

// open migrates the stored conversation. It reports false for a timeout whose state was left.
func (t *Turn) open(_ context.Context) (live bool, err error) {
	if t.p.Session == nil {
		t.late = t.typ == Timeout
		return !t.late, nil
	}
	if f := t.flow(t.State()); f != nil && t.State() != None {
		if err := f.migrate(t); err != nil {
			return false, err
		}
	}
	if t.typ != Timeout {
		return true, nil
	}
	e, err := DecodeTimeout(t.p.Raw)
	if err != nil {
		return false, err
	}
	m := t.loadMeta()
	if m.Token != e.Token { // not the state: a migration may have renamed it
		t.late = true
		return false, nil
	}
	m.Token = "" // it has fired
	t.saveMeta()
	return true, nil
}

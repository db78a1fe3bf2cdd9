package bot

import (
	"encoding/json"
	"slices"
)

// meta is what this package keeps beside a conversation's data.
type meta struct {
	Version int    `json:"v,omitempty"` // schema of the data, see Flow.Version
	History []Step `json:"h,omitempty"` // steps before this one, oldest first
	Token   string `json:"t,omitempty"` // of the armed timer
}

// keptHistory bounds what a conversation remembers of its way.
const keptHistory = 32

// book is the turn's meta; changes take effect with keep.
func (t *Turn) book() *meta {
	if t.meta == nil {
		t.meta = &meta{}
		if t.p.State != nil {
			// What cannot be read was written by something else: begin anew.
			_ = json.Unmarshal(t.p.State.Meta(), t.meta)
		}
	}
	return t.meta
}

// keep buffers the changed meta.
func (t *Turn) keep() {
	if m := t.book(); m.Version == 0 && len(m.History) == 0 && m.Token == "" {
		t.p.State.SetMeta(nil)
		return
	}
	raw, err := json.Marshal(t.meta)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	t.p.State.SetMeta(raw)
}

// History lists the steps that led to this one within its flow, oldest first.
func (t *Turn) History() []Step { return slices.Clone(t.book().History) }

// note is the state of a conversation at some point of a turn, to go back to.
type note struct {
	step       string
	data, meta []byte
	timer      timer
}

func (t *Turn) note() note {
	n := note{timer: t.timer}
	if s := t.p.State; s != nil {
		n.step, n.data, n.meta = s.State(), s.Data(), s.Meta()
	}
	return n
}

func (t *Turn) restore(n note) {
	t.timer, t.route, t.meta, t.depth = n.timer, nil, nil, 0
	if s := t.p.State; s != nil {
		s.SetState(n.step)
		s.SetData(n.data)
		s.SetMeta(n.meta)
	}
}

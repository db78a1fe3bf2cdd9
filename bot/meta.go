package bot

import (
	"encoding/json"
	"slices"
)

// meta is what this package keeps beside a conversation's data.
type meta struct {
	Version int     `json:"v,omitempty"` // schema of the data, see Flow.Version
	History []State `json:"h,omitempty"` // states before this one, oldest first
	Token   string  `json:"t,omitempty"` // of the armed timer
}

// keptHistory bounds what a conversation remembers of its way.
const keptHistory = 32

// book is the turn's meta; changes take effect with keep.
func (t *Turn) book() *meta {
	if t.meta == nil {
		t.meta = &meta{}
		if t.p.Session != nil {
			// What cannot be read was written by something else: begin anew.
			_ = json.Unmarshal(t.p.Session.Meta(), t.meta)
		}
	}
	return t.meta
}

// keep buffers the changed meta.
func (t *Turn) keep() {
	if m := t.book(); m.Version == 0 && len(m.History) == 0 && m.Token == "" {
		t.p.Session.SetMeta(nil)
		return
	}
	raw, err := json.Marshal(t.meta)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	t.p.Session.SetMeta(raw)
}

// History lists the states that led to this one within its flow, oldest first.
func (t *Turn) History() []State { return slices.Clone(t.book().History) }

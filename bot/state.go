package bot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// State is the point that a conversation has reached, "flow:state". The part before the last colon is its
// flow; flows may nest, "outer.inner:state". The zero value is [None].
type State string

// None is the state of a conversation that has not begun, or is over.
const None State = ""

// anyState is every state, in graphs; "flow:*" is every state of a flow.
const anyState State = "*"

// Flow is the name of the state's flow, empty if it has none.
func (s State) Flow() string {
	i := strings.LastIndexByte(string(s), ':')
	if i < 0 {
		return ""
	}
	return string(s[:i])
}

// State is the conversation's state, as the turn has set it so far; [None] without a conversation.
func (t *Turn) State() State {
	if t.p.Session == nil {
		return None
	}
	return State(t.p.Session.State())
}

// InState passes turns of conversations that are at one of these states.
func InState(states ...State) Filter {
	f := when("", func(t *Turn) bool { return slices.Contains(states, t.State()) })
	f.states = states
	return f
}

// InFlow passes turns of conversations at any state of a flow, or of one nested in it.
func InFlow(flow string) Filter {
	f := when("", func(t *Turn) bool { return inFlow(t.State(), flow) })
	f.states = []State{State(flow + ":" + string(anyState))}
	return f
}

func inFlow(s State, flow string) bool {
	name := s.Flow()
	return s != None && (name == flow || strings.HasPrefix(name, flow) && name[len(flow)] == '.')
}

// InAnyState passes turns of conversations that are at any state but [None].
func InAnyState() Filter {
	f := when("", func(t *Turn) bool { return t.State() != None })
	f.states = []State{anyState}
	return f
}

// InNoState passes turns of conversations at [None], and updates without a conversation.
func InNoState() Filter {
	f := when("", func(t *Turn) bool { return t.State() == None })
	f.states = []State{None}
	return f
}

// Data reads the conversation's data as a T, the zero T if there is none. Entering another flow and
// [Turn.Clear] remove the data. It fails with ErrNoState if the update has no conversation, and with another
// error if the data is no T.
func Data[T any](t *Turn) (T, error) {
	var v T
	if t.p.Session == nil {
		return v, ErrNoState
	}
	raw := t.p.Session.Data()
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read data of state %q as %T: %w", t.State(), v, err)
	}
	return v, nil
}

// SetData replaces the conversation's data by v, as JSON. It fails with ErrNoState if the update has no
// conversation.
func SetData[T any](t *Turn, v T) error {
	if t.p.Session == nil {
		return ErrNoState
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write data of state %q: %w", t.State(), err)
	}
	t.p.Session.SetData(raw)
	return nil
}

// UpdateData reads the data, changes it, sets it, and returns it. It fails as [Data] and [SetData] do.
func UpdateData[T any](t *Turn, change func(data *T)) (T, error) {
	v, err := Data[T](t)
	if err != nil {
		return v, err
	}
	change(&v)
	return v, SetData(t, v)
}

type meta struct {
	Version int     `json:"v,omitempty"` // schema of the data, see Flow.Version
	History []State `json:"h,omitempty"` // states before this one, oldest first
	Token   string  `json:"t,omitempty"` // of the armed timer
}

const keptHistory = 32

func (t *Turn) loadMeta() *meta {
	if t.meta == nil {
		t.meta = &meta{}
		if t.p.Session != nil {
			// What cannot be read was written by something else: begin anew.
			_ = json.Unmarshal(t.p.Session.Meta(), t.meta)
		}
	}
	return t.meta
}

func (t *Turn) saveMeta() {
	if m := t.loadMeta(); m.Version == 0 && len(m.History) == 0 && m.Token == "" {
		t.p.Session.SetMeta(nil)
		return
	}
	raw, err := json.Marshal(t.meta)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	t.p.Session.SetMeta(raw)
}

// History lists the up to 32 states that led to this one within its flow, oldest first.
func (t *Turn) History() []State { return slices.Clone(t.loadMeta().History) }

package bot

import (
	"slices"
	"strings"
)

// State names where a conversation stands, "flow:state". The part before the last
// colon is its flow; flows may nest, "outer.inner:state".
type State string

// None is where a conversation stands that has not begun, or is over.
const None State = ""

// anyState stands in graphs for every state, "flow:*" for every state of a flow.
const anyState State = "*"

// Flow is the name of the state's flow, empty if it has none.
func (s State) Flow() string {
	i := strings.LastIndexByte(string(s), ':')
	if i < 0 {
		return ""
	}
	return string(s[:i])
}

// State is where the conversation stands now, as the turn has moved it so far. An
// update without a conversation is at None.
func (t *Turn) State() State {
	if t.p.Session == nil {
		return None
	}
	return State(t.p.Session.State())
}

// InState passes turns of conversations that stand at one of these states.
func InState(states ...State) Filter {
	f := when("", func(t *Turn) bool { return slices.Contains(states, t.State()) })
	f.states = states
	return f
}

// InFlow passes turns of conversations that are inside a flow, at any state.
func InFlow(flow string) Filter {
	f := when("", func(t *Turn) bool { return inFlow(t.State(), flow) })
	f.states = []State{State(flow + ":" + string(anyState))}
	return f
}

// inFlow tells whether a state belongs to a flow or to one nested in it.
func inFlow(s State, flow string) bool {
	name := s.Flow()
	return s != None && (name == flow || strings.HasPrefix(name, flow) && name[len(flow)] == '.')
}

// InAnyState passes turns of conversations that stand at any state.
func InAnyState() Filter {
	f := when("", func(t *Turn) bool { return t.State() != None })
	f.states = []State{anyState}
	return f
}

// InNoState passes turns outside of any flow.
func InNoState() Filter {
	f := when("", func(t *Turn) bool { return t.State() == None })
	f.states = []State{None}
	return f
}

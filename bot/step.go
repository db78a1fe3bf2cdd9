package bot

import (
	"slices"
	"strings"
)

// Step names where a conversation stands, "flow:step". The part before the last
// colon is its flow; flows may nest, "outer.inner:step".
type Step string

// None is where a conversation stands that has not begun, or is over.
const None Step = ""

// anyStep stands in graphs for every step, "flow:*" for every step of a flow.
const anyStep Step = "*"

// Flow is the name of the step's flow, empty if it has none.
func (s Step) Flow() string {
	i := strings.LastIndexByte(string(s), ':')
	if i < 0 {
		return ""
	}
	return string(s[:i])
}

// Step is where the conversation stands now, as the turn has moved it so far. An
// update without a conversation is at None.
func (t *Turn) Step() Step {
	if t.p.State == nil {
		return None
	}
	return Step(t.p.State.State())
}

// In passes turns of conversations that stand at one of these steps.
func In(steps ...Step) Filter {
	f := when("", func(t *Turn) bool { return slices.Contains(steps, t.Step()) })
	f.steps = steps
	return f
}

// InFlow passes turns of conversations that are inside a flow, at any step.
func InFlow(flow string) Filter {
	f := when("", func(t *Turn) bool { return inFlow(t.Step(), flow) })
	f.steps = []Step{Step(flow + ":" + string(anyStep))}
	return f
}

// inFlow tells whether a step belongs to a flow or to one nested in it.
func inFlow(s Step, flow string) bool {
	name := s.Flow()
	return s != None && (name == flow || strings.HasPrefix(name, flow) && name[len(flow)] == '.')
}

// InAny passes turns of conversations that stand at any step.
func InAny() Filter {
	f := when("", func(t *Turn) bool { return t.Step() != None })
	f.steps = []Step{anyStep}
	return f
}

// InNone passes turns outside of any flow.
func InNone() Filter {
	f := when("", func(t *Turn) bool { return t.Step() == None })
	f.steps = []Step{None}
	return f
}

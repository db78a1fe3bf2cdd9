package bot

import (
	"context"
	"errors"
	"fmt"
)

// What a [Question]'s Take returns to go elsewhere than to the next question.
var (
	// ErrBack asks the question before this one again; at the first, this one.
	ErrBack = errors.New("back to the question before")
	// ErrCancel ends the scene by its Cancelled handler.
	ErrCancel = errors.New("scene cancelled")
)

// RetryError is what [Retry] returns: its text is sent, and the question stays.
type RetryError struct{ Text string }

// Error does not repeat the hint.
func (e *RetryError) Error() string { return "answer not understood" }

// Retry makes the error with which a [Question]'s Take sends a hint and waits for another answer.
func Retry(hint string) error { return &RetryError{hint} }

// Scene is a flow of questions, asked one after the other. Timeouts, hooks and further handlers may be
// registered for its states as for any.
type Scene struct {
	Flow      string // all states are of this flow
	Questions []Question
	// Done runs after the last answer, while the data is still there. Unless it sets another state, the
	// conversation then ends. Nil does nothing.
	Done Handler
	// Cancelled runs when the scene ends by Cancel or ErrCancel. Nil does nothing.
	Cancelled Handler
	Back      []Filter // messages and buttons that go back one question; empty means none
	Cancel    []Filter // messages and buttons that end the scene; empty means none
}

// Question is one state of a scene.
type Question struct {
	State State
	Ask   Handler // when the conversation comes to the state
	// Take takes the answer: any message that is no /command, or any button. Nil goes on to the next
	// question; [Retry], [ErrBack] and [ErrCancel] go elsewhere. A state that Take sets itself stays.
	Take Handler
}

// Say is a handler that answers with a text.
func Say(text string, options ...Option) Handler {
	return func(ctx context.Context, t *Turn) error { return t.Answer(ctx, text, options...) }
}

// Scene registers a scene and returns the handler that begins it, anew if the conversation is in it. It
// panics if a question lacks Ask or Take.
func (r *Router) Scene(s Scene) Handler {
	if len(s.Questions) == 0 {
		panic(fmt.Sprintf("bot: scene %q has no questions", s.Flow))
	}
	flow := r.Flow(s.Flow)
	const answers = Message | CallbackQuery
	states := make([]State, 0, len(s.Questions))
	for _, q := range s.Questions {
		if q.Ask == nil || q.Take == nil {
			panic(fmt.Sprintf("bot: scene %q: state %q wants Ask and Take", s.Flow, q.State))
		}
		flow.OnEnter(q.Ask, q.State)
		states = append(states, q.State)
	}
	if len(s.Cancel) > 0 {
		rt := r.On(answers, s.cancel, append([]Filter{InState(states...)}, s.Cancel...)...)
		rt.leads = []State{None}
	}
	if len(s.Back) > 0 {
		r.On(answers, s.back, append([]Filter{InState(states...)}, s.Back...)...)
	}
	for i, q := range s.Questions {
		next := None
		if i+1 < len(states) {
			next = states[i+1]
		}
		rt := r.On(answers, s.take(q, next), InState(q.State), Not(Command()).Named("answer"))
		rt.leads = []State{next}
	}
	r.begins = append(r.begins, states[0])
	return func(ctx context.Context, t *Turn) error {
		if t.State().Flow() == s.Flow { // begin anew
			if err := t.Clear(ctx); err != nil {
				return err
			}
		}
		return t.SetState(ctx, states[0])
	}
}

func (s *Scene) take(q Question, next State) Handler {
	return func(ctx context.Context, t *Turn) error {
		err := q.Take(ctx, t)
		var again *RetryError
		switch {
		case errors.As(err, &again):
			return t.Answer(ctx, again.Text)
		case errors.Is(err, ErrBack):
			return s.back(ctx, t)
		case errors.Is(err, ErrCancel):
			return s.cancel(ctx, t)
		case err != nil || t.State() != q.State:
			return err
		case next != None:
			return t.SetState(ctx, next)
		}
		return s.end(ctx, t, s.Done)
	}
}

func (s *Scene) back(ctx context.Context, t *Turn) error {
	if len(t.History()) == 0 {
		return t.SetState(ctx, t.State())
	}
	return t.Back(ctx)
}

func (s *Scene) cancel(ctx context.Context, t *Turn) error { return s.end(ctx, t, s.Cancelled) }

func (s *Scene) end(ctx context.Context, t *Turn, last Handler) error {
	at := t.State()
	if last != nil {
		if err := last(ctx, t); err != nil {
			return err
		}
	}
	if t.State() != at {
		return nil
	}
	return t.Clear(ctx)
}

package turn

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatlane/chatlane/bot"
)

// admit asks the gates before the lock is taken, except about an update that an earlier owner may have begun.
func (t *task) admit(ctx context.Context) (progress, error) {
	if t.d.Inherited {
		return goOn, nil
	}
	return t.askGates(ctx)
}

// admitInherited asks the gates unless the journal shows that the turn has begun: such a turn is not dropped.
func (t *task) admitInherited(ctx context.Context) (progress, error) {
	t.admitted = t.admitted || t.session.Begun()
	return t.askGates(ctx)
}

// A refused update leaves no trace in the store.
func (t *task) askGates(ctx context.Context) (progress, error) {
	if t.admitted {
		return goOn, nil
	}
	err := t.gateVerdict(ctx)
	switch {
	case err == nil:
		t.admitted = true
		return goOn, nil
	case errors.Is(err, bot.ErrDropped):
		t.r.metrics.turns.WithLabelValues(outDropped).Inc()
		t.ackAll(ctx)
		return finished, nil
	case errors.Is(err, bot.ErrUnhandled):
		return goOn, fmt.Errorf("a gate returned an error that only handlers may return: %v", err) //nolint:errorlint // it must not count as a handler's
	}
	return goOn, err
}

// gateVerdict first uses up what the gates told the urgent run.
func (t *task) gateVerdict(ctx context.Context) error {
	if u := t.urgent; u != nil && u.asked {
		u.asked = false
		return u.gates
	}
	return t.gates(ctx)
}

func (t *task) gates(ctx context.Context) error {
	s := t.d.Scope
	return t.r.deps.Program.Admit(ctx, bot.Envelope{
		Bot: s.Bot, Update: t.d.ID, Type: t.d.Type, Chat: s.Chat, User: s.User, Thread: s.Thread, Received: t.d.Received, Raw: t.d.Body,
	})
}

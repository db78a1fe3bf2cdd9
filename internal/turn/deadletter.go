package turn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
)

// An update dies in three steps, each in another place: that it dies is noted in its
// journal, the letter is stored, the cursor moves. Whoever finds the note, after a crash
// or an outage in between, takes the steps that are left: the handler does not run
// again, so that no update is both a dead letter and committed. The note is fenced like
// any other entry: who has lost the lane writes no letter.
const discardIndex = -2 // in the journal; no call has it

// discard is why an update dies.
type discard struct {
	Reason   string `json:"reason"`
	Error    string `json:"error"`
	Stack    string `json:"stack,omitempty"`
	Attempts int    `json:"attempts"`
}

// discardedBefore finds the note of an earlier attempt.
func (t *task) discardedBefore(s *fsm.Session) (note discard, found bool) {
	raw, found := s.Recall(discardIndex)
	if !found {
		return t.discarded, t.discarded.Reason != ""
	}
	if err := json.Unmarshal(raw, &note); err != nil || note.Reason == "" {
		note = discard{Reason: queue.ReasonError, Error: "the note of why the update dies is unreadable", Attempts: s.Attempts()}
	}
	return note, true
}

// bury stores the dead letter before the cursor moves past its update. The session is
// nil where the update died before its lane was opened.
func (t *task) discardUpdate(ctx context.Context, s *fsm.Session, note discard) error {
	note.Error, note.Stack = clip(note.Error), clip(note.Stack)
	if s != nil {
		raw, err := json.Marshal(note)
		if err != nil {
			return fmt.Errorf("encode why the update dies: %w", err)
		}
		if err := s.Record(ctx, discardIndex, raw); err != nil {
			return fmt.Errorf("%w: %w", errDeadLetter, err)
		}
	}
	t.discarded = note
	return t.storeLetters(ctx, s, note, false)
}

// finishDiscard takes the steps that an earlier attempt did not get to.
func (t *task) finishDiscard(ctx context.Context, s *fsm.Session, note discard) (queue.Next, error) {
	if err := t.storeLetters(ctx, s, note, true); err != nil {
		return t.settle(ctx, s, err)
	}
	t.r.metrics.turns.WithLabelValues(outDead).Inc()
	t.r.log.ErrorContext(ctx, "update is a dead letter", t.attrs(slog.String("reason", note.Reason), slog.String("error", note.Error))...)
	t.ackAll(ctx)
	return queue.Next{}, nil
}

// storeLetters stores a letter for each update of the turn and moves the cursor. A letter that
// may be stored already is looked for: the broker knows repetitions for a while only.
func (t *task) storeLetters(ctx context.Context, s *fsm.Session, note discard, look bool) error {
	for d := range t.updates() {
		if err := t.letter(ctx, d, note, look); err != nil {
			return fmt.Errorf("%w: %w", errDeadLetter, err)
		}
	}
	if s == nil {
		return nil
	}
	if err := s.CommitCursor(ctx); err != nil {
		return fmt.Errorf("%w: %w", errDeadLetter, err)
	}
	return nil
}

// clip bounds what the note holds of a text: a letter holds no more of it.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), queue.MaxNote)], "?")
}

func (t *task) letter(ctx context.Context, d *queue.Delivery, note discard, look bool) error {
	l := queue.DeadLetter{
		Bot: d.Scope.Bot, Update: d.ID, Type: d.Type, Scope: d.Scope, Lane: d.Lane, Partition: d.Partition,
		Stream: d.Stream, Seq: d.Seq, Reason: note.Reason, Error: note.Error, Stack: note.Stack, Attempts: note.Attempts,
		Received: d.Received, First: t.first, Died: time.Now(),
		Trace: trace.SpanContextFromContext(ctx).TraceID().String(), Body: d.Body,
	}
	if look {
		if stored, err := t.r.deps.Dead.Has(ctx, l); stored || err != nil {
			return err
		}
	}
	return t.r.deps.Dead.Put(ctx, l)
}

func stackOf(err error) string {
	if p, ok := errors.AsType[*bot.PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}

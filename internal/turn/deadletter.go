package turn

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

// DeadLetters stores updates that used up their attempts.
type DeadLetters interface {
	// Put returns nil once the letter is stored. A repetition may be stored again.
	Put(ctx context.Context, l deadletter.Letter) error
	Has(ctx context.Context, l deadletter.Letter) (bool, error)
}

// discardIndex is the discard's place in the journal; no call has it.
const discardIndex = -2

// discard is why an update is given up, in three steps: the journal keeps the discard, the letter is stored,
// the cursor moves. After a crash the next attempt takes the missing steps without the handler: no update is
// both a dead letter and committed. The entry is fenced: a worker that has lost the lane stores no letter.
type discard struct {
	Reason   string `json:"reason"`
	Error    string `json:"error"`
	Detail   string `json:"detail,omitempty"` // shown with the error in the letter, and in no log
	Stack    string `json:"stack,omitempty"`
	Attempts int    `json:"attempts"`
}

// Without a session there is no journal and no cursor: discard stores the letter alone.
func (t *task) discard(ctx context.Context, why discard) error {
	why.Error, why.Detail, why.Stack = clip(why.Error), clip(why.Detail), clip(why.Stack)
	if t.session != nil {
		raw, err := json.Marshal(why)
		if err != nil {
			return fmt.Errorf("encode why the update is discarded: %w", err)
		}
		if err := t.session.Record(ctx, discardIndex, raw); err != nil {
			return fmt.Errorf("%w: %w", errDeadLetter, err)
		}
	}
	t.discarded = why
	return t.storeLetters(ctx, why, false)
}

func (t *task) finishDiscard(ctx context.Context) (progress, error) {
	why, found := t.wasDiscarded(t.session)
	if !found {
		return goOn, nil
	}
	if err := t.storeLetters(ctx, why, true); err != nil {
		return goOn, err
	}
	t.r.metrics.turns.WithLabelValues(outDead).Inc()
	t.countDeadline(false)
	t.r.log.ErrorContext(ctx, "update is a dead letter", t.attrs(slog.String("reason", why.Reason), slog.Int("attempt", why.Attempts), slog.String("error", why.Error))...)
	t.ackAll(ctx)
	return finished, nil
}

func (t *task) wasDiscarded(s *fsm.Session) (why discard, found bool) {
	raw, found := s.Recall(discardIndex)
	if !found {
		return t.discarded, t.discarded.Reason != ""
	}
	if err := json.Unmarshal(raw, &why); err != nil || why.Reason == "" {
		why = discard{Reason: deadletter.ReasonError, Error: "the journal's entry of why the update was discarded is unreadable", Attempts: s.Attempts()}
	}
	return why, true
}

// storeLetters then moves the cursor. With again it first looks for each letter: the broker drops
// repetitions only for a while.
func (t *task) storeLetters(ctx context.Context, why discard, again bool) error {
	journal := t.lastJournal() // the parts of an album were one turn, so each letter has all of it
	for d := range t.deliveries() {
		if err := t.storeLetter(ctx, d, why, journal, again); err != nil {
			return fmt.Errorf("%w: %w", errDeadLetter, err)
		}
	}
	if t.session == nil {
		return nil
	}
	if err := t.session.CommitCursor(ctx); err != nil {
		return fmt.Errorf("%w: %w", errDeadLetter, err)
	}
	return nil
}

func (t *task) storeLetter(ctx context.Context, d *queue.Delivery, why discard, journal []byte, again bool) error {
	l := deadletter.Letter{
		Bot: d.Scope.Bot, Update: d.ID, Type: d.Type, Scope: d.Scope, Lane: d.Lane, Partition: d.Partition,
		Stream: d.Stream, Seq: d.Seq, Reason: why.Reason, Error: why.note(), Stack: why.Stack, Attempts: why.Attempts,
		Received: d.Received, First: t.first, Died: time.Now(),
		Trace: trace.SpanContextFromContext(ctx).TraceID().String(), Body: d.Body, Journal: journal,
	}
	if again {
		if stored, err := t.r.deps.Dead.Has(ctx, l); stored || err != nil {
			return err
		}
	}
	return t.r.deps.Dead.Put(ctx, l)
}

func (why discard) note() string {
	if why.Detail == "" {
		return why.Error
	}
	return clip(why.Error + ": " + why.Detail)
}

func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), deadletter.MaxNote)], "?")
}

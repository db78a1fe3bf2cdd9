package deadletter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// ErrUnroutable means that a dead letter never had a lane to go back to.
var ErrUnroutable = errors.New("dead letter was never routed: it cannot be replayed, only read and dropped")

// ErrJournalLost means that an update had done more than its letter could keep.
var ErrJournalLost = errors.New("its journal was too large to be kept, so that a replay would make its calls and steps again: replay it with --fresh if that is right")

// Replay moves a dead letter to the end of its lane. A repetition, after a lost answer, replays nothing.
// Unless it is fresh, what the letter's journal has is not done again.
func (s *Store) Replay(ctx context.Context, p *queue.Publisher, l Letter, fresh bool) error {
	u := queue.Update{ID: l.Update, Type: l.Type, Scope: l.Scope, Lane: l.Lane, Received: l.Received, Body: l.Body, Replay: l.ID}
	switch {
	case l.Reason == ReasonUnreadable:
		return fmt.Errorf("dead letter %d: %w", l.ID, ErrUnroutable)
	case fresh:
	case l.JournalLost:
		return fmt.Errorf("dead letter %d: %w", l.ID, ErrJournalLost)
	default:
		u.Journal = l.Journal
	}
	if err := p.Publish(ctx, u); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", l.ID, err)
	}
	return s.Drop(ctx, l.ID)
}

// Reject stores an authentic body that cannot be routed. It has no partition: its letter is filed under 0.
func (s *Store) Reject(ctx context.Context, bot int64, body []byte, why string) error {
	now := time.Now()
	digest := sha256.Sum256(body)
	return s.Put(ctx, Letter{
		Bot: bot, Lane: lane.ByChat.Key(lane.Scope{Bot: bot, Kind: lane.KindOther, ID: "unreadable"}),
		Reason: ReasonUnreadable, Error: why, Received: now, Died: now,
		Trace: trace.SpanContextFromContext(ctx).TraceID().String(), Body: body,
		Digest: fmt.Sprintf("unreadable:%d:%x", bot, digest[:16]),
	})
}

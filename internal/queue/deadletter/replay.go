package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// ErrUnroutable means that a dead letter never had a lane to go back to.
var ErrUnroutable = errors.New("dead letter was never routed: it cannot be replayed, only read and dropped")

// Replay moves a dead letter to the end of its lane. A repetition, after a lost answer, replays nothing.
func (s *Store) Replay(ctx context.Context, p *queue.Publisher, l Letter) error {
	if l.Reason == ReasonUnreadable {
		return fmt.Errorf("dead letter %d: %w", l.ID, ErrUnroutable)
	}
	u := queue.Update{ID: l.Update, Type: l.Type, Scope: l.Scope, Lane: l.Lane, Received: l.Received, Body: l.Body, Replay: l.ID}
	if err := p.Publish(ctx, u); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", l.ID, err)
	}
	return s.Drop(ctx, l.ID)
}

// Reject stores an authentic body that cannot be routed. It has no partition: its letter is filed under 0.
func (s *Store) Reject(ctx context.Context, bot int64, body []byte, why string) error {
	now := time.Now()
	return s.Put(ctx, Letter{
		Bot: bot, Lane: lane.ByChat.Key(lane.Scope{Bot: bot, Kind: lane.KindOther, ID: "unreadable"}),
		Reason: ReasonUnreadable, Error: why, Received: now, Died: now,
		Trace: trace.SpanContextFromContext(ctx).TraceID().String(), Body: body,
	})
}

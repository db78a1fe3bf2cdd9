package turn

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
)

// closeTime bounds the release of a lock; one that is not released expires.
const closeTime = 2 * time.Second

func (t *task) open(ctx context.Context) (progress, error) {
	opening, cancel := context.WithTimeout(ctx, t.openWait)
	defer cancel()
	s, err := t.r.deps.Store.Open(opening, t.keys, storePosition(t.d))
	t.storeAnswered(ctx, err)
	if err != nil {
		return goOn, fmt.Errorf("open lane %s: %w", t.d.Lane, err)
	}
	t.session, t.attempts = s, max(t.attempts, s.Attempts())
	t.recallFirst()
	return goOn, nil
}

func (t *task) close(ctx context.Context, s *fsm.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.r.log.DebugContext(ctx, "lock not released, it expires", t.attrs(slog.String("error", err.Error()))...)
	}
}

// storeAnswered closes the partition's circuit unless err says that the store did not answer;
// settle counts that. A cancelled attempt proves nothing.
func (t *task) storeAnswered(ctx context.Context, err error) {
	if err == nil || ctx.Err() == nil && !storeFailed(err) {
		t.r.breaker.answer(ctx, int(t.d.Partition))
	}
}

func (r *Runner) keys(d *queue.Delivery) fsm.Keys {
	return fsm.KeysOf(d.Lane, d.Scope, r.cfg.LaneKey, r.cfg.Strategy)
}

func storePosition(d *queue.Delivery) fsm.Position {
	p := fsm.Position{Stream: d.Stream, Seq: d.Seq, Update: d.ID, Stored: d.Stored}
	if d.Replay != 0 {
		p.Update = 0 // a person asked for it: not a duplicate
	}
	return p
}

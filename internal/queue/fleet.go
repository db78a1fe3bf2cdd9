package queue

import (
	"context"
	"log/slog"
	"sync"

	"github.com/chatlane/chatlane/internal/partition"
)

// Fleet runs one owner for each partition that a worker's plan names.
type Fleet struct {
	presence *Presence
	owner    *Owner
	turn     func(*Delivery) Turn
	log      *slog.Logger

	running sync.WaitGroup
	posts   map[partition.ID]*post // touched by the presence loop only
}

// post is one partition that this worker owns or stands by for.
type post struct{ leave context.CancelFunc }

// NewFleet starts nothing; Run does. Owner's config should take its Elsewhere from presence.
func NewFleet(presence *Presence, owner *Owner, turn func(*Delivery) Turn, log *slog.Logger) *Fleet {
	return &Fleet{presence: presence, owner: owner, turn: turn, log: log, posts: make(map[partition.ID]*post)}
}

// Run works until ctx ends, then hands every partition over and returns. Turns run under work.
func (f *Fleet) Run(ctx, work context.Context) error {
	err := f.presence.Run(ctx, func(p Plan) { f.follow(ctx, work, p) })
	f.running.Wait()
	return err
}

// follow starts and ends owners so that they match the plan. A partition that is
// in the plan before and after is not touched: its owner asks who should have it.
func (f *Fleet) follow(ctx, work context.Context, plan Plan) {
	f.log.InfoContext(ctx, "plan changed", slog.Int("workers", plan.Workers),
		slog.Int("own", len(plan.Own)), slog.Int("standby", len(plan.Standby)))
	wanted := make(map[partition.ID]bool, len(plan.Own)+len(plan.Standby))
	for _, p := range plan.Own {
		wanted[p] = true
	}
	for _, p := range plan.Standby {
		wanted[p] = true
	}
	for p, post := range f.posts {
		if !wanted[p] {
			post.leave()
			delete(f.posts, p)
		}
	}
	for p := range wanted {
		if f.posts[p] == nil {
			f.posts[p] = f.start(ctx, work, p)
		}
	}
}

func (f *Fleet) start(ctx, work context.Context, p partition.ID) *post {
	ctx, leave := context.WithCancel(ctx)
	f.running.Go(func() {
		defer leave()
		_ = f.owner.Run(ctx, work, p, f.turn) // it logs what ends a term, and returns nil
	})
	return &post{leave: leave}
}

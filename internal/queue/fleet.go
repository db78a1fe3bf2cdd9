package queue

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/partition"
)

// Fleet runs one owner for each partition that a worker's plan names.
type Fleet struct {
	presence *Presence
	owner    *Owner
	turn     func(*Delivery) Attempt
	log      *slog.Logger

	running sync.WaitGroup
	posts   map[partition.ID]*post // touched by the presence loop only
}

// post is one partition that this worker owns or stands by for, or did.
type post struct {
	leave context.CancelFunc
	ended chan struct{}
	going *time.Timer // to leave; nil while it stays
}

// NewFleet starts nothing; Run does. Owner's config should take its Role and its Hold
// from presence.
func NewFleet(presence *Presence, owner *Owner, turn func(*Delivery) Attempt, log *slog.Logger) *Fleet {
	return &Fleet{presence: presence, owner: owner, turn: turn, log: log, posts: make(map[partition.ID]*post)}
}

// Run works until ctx ends, then hands every partition over and returns. Turns run under work.
func (f *Fleet) Run(ctx, work context.Context) error {
	err := f.presence.Run(ctx, func(p Plan) { f.follow(ctx, work, p) })
	f.running.Wait()
	return err
}

// follow starts and ends owners so that they match the plan. A partition that is
// in the plan before and after is not touched: its owner asks who should have it. One
// that is not any more is left a little later: until then its work goes on, the new owner
// comes to ask for the pin, and nobody else does any more.
func (f *Fleet) follow(ctx, work context.Context, plan Plan) {
	f.log.InfoContext(ctx, "plan changed", slog.Int("workers", plan.Workers),
		slog.Int("own", len(plan.Own)), slog.Int("standby", len(plan.Standby)))
	wanted := make(map[partition.ID]bool, len(plan.Own)+len(plan.Standby))
	for _, p := range slices.Concat(plan.Own, plan.Standby) {
		wanted[p] = true
		if before := f.posts[p]; before == nil || !before.stay() {
			f.posts[p] = f.start(ctx, work, p, before)
		}
	}
	for p, post := range f.posts {
		if !wanted[p] && post.going == nil {
			post.going = time.AfterFunc(f.owner.cfg.PinTTL/10, post.leave)
		}
	}
}

// stay takes back that the post is to be left; it tells whether that came in time.
func (p *post) stay() bool {
	if p.going != nil && !p.going.Stop() {
		return false
	}
	p.going = nil
	return true
}

// start runs an owner; if one before it still hands the partition over, after that one.
func (f *Fleet) start(ctx, work context.Context, p partition.ID, before *post) *post {
	ctx, leave := context.WithCancel(ctx)
	now := &post{leave: leave, ended: make(chan struct{})}
	f.running.Go(func() {
		defer close(now.ended)
		defer leave()
		if before != nil {
			<-before.ended
		}
		_ = f.owner.Run(ctx, work, p, f.turn) // it logs what ends a term, and returns nil
	})
	return now
}

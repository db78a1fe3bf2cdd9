package fleet

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/partition"
)

// Own works on a partition, or stands by, until ctx ends; then it hands over and returns. Attempts run under work.
type Own func(ctx, work context.Context, p partition.ID) error

// Config of a fleet.
type Config struct {
	Linger time.Duration // for a partition that left the plan, so that its new owner asks for it first; 0: none
	Logger *slog.Logger  // nil: logs nothing
}

// Fleet runs one owner for each partition in a worker's plan.
type Fleet struct {
	cfg      Config
	presence *Presence
	own      Own

	running sync.WaitGroup
	posts   map[partition.ID]*post // only the presence loop uses it
}

// post is a partition in the worker's plan, or one that has left it.
type post struct {
	leave  context.CancelFunc // ends the work on it
	end    context.CancelFunc // ends the watch after that, too
	ended  chan struct{}
	linger *time.Timer // until leave; nil while the plan has the partition
}

// New prepares a fleet; [Fleet.Run] starts it. own should ask the same presence for its role.
func New(cfg Config, presence *Presence, own Own) *Fleet {
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return &Fleet{cfg: cfg, presence: presence, own: own, posts: make(map[partition.ID]*post)}
}

// Run works until ctx ends, then hands every partition over. Errors: those of [Presence.Run].
func (f *Fleet) Run(ctx, work context.Context) error {
	err := f.presence.Run(ctx, func(p Plan) { f.follow(ctx, work, p) })
	f.running.Wait()
	return err
}

// follow starts and ends owners by the plan. One that leaves it goes on for Linger: by then the new owner asks.
func (f *Fleet) follow(ctx, work context.Context, plan Plan) {
	f.cfg.Logger.InfoContext(ctx, "plan changed", slog.Int("workers", plan.Workers),
		slog.Int("own", len(plan.Own)), slog.Int("standby", len(plan.Standby)))
	planned := make(map[partition.ID]bool, len(plan.Own)+len(plan.Standby))
	for _, p := range slices.Concat(plan.Own, plan.Standby) {
		planned[p] = true
		if before := f.posts[p]; before == nil || !before.stay() {
			f.posts[p] = f.start(ctx, work, p, before)
		}
	}
	for p, post := range f.posts {
		if !planned[p] && post.linger == nil {
			post.linger = time.AfterFunc(f.cfg.Linger, post.leave)
		}
	}
}

func (p *post) stay() bool {
	if p.linger != nil && !p.linger.Stop() {
		return false
	}
	p.linger = nil
	return true
}

// start runs an owner, after the one before it has handed the partition over.
func (f *Fleet) start(ctx, work context.Context, p partition.ID, before *post) *post {
	ctx, end := context.WithCancel(ctx)
	assigned, leave := context.WithCancel(ctx)
	now := &post{leave: leave, end: end, ended: make(chan struct{})}
	f.running.Go(func() {
		defer close(now.ended)
		defer end()
		defer leave()
		if before != nil {
			before.end()
			<-before.ended
		}
		f.run(assigned, work, p)
		f.watch(ctx, work, p)
	})
	return now
}

func (f *Fleet) run(ctx, work context.Context, p partition.ID) {
	if err := f.own(ctx, work, p); err != nil {
		f.cfg.Logger.ErrorContext(ctx, "owner of a partition ended", slog.Int("partition", int(p)), slog.String("error", err.Error()))
	}
}

// watch runs an owner for a partition that this worker has handed over, until another
// worker announces that it owns it. Heartbeats are not authenticated: the worker in the
// plan may not exist, and then this owner takes the partition back, as any bystander may.
func (f *Fleet) watch(ctx, work context.Context, p partition.ID) {
	if !f.presence.forgetHeld(p) {
		return
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() {
		defer end()
		tick := time.NewTicker(f.presence.cfg.Every / 5)
		defer tick.Stop()
		for !f.presence.heldElsewhere(p) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	f.run(ctx, work, p)
}

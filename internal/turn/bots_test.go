package turn_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/partition"
)

// others says which bots other workers serve.
type others struct {
	serve atomic.Bool
	met   atomic.Int64
}

func (o *others) Met(_ partition.ID, bot int64)  { o.met.Store(bot) }
func (o *others) ServedElsewhere(bot int64) bool { return bot == botID && o.serve.Load() }

// An update whose bot this worker lacks waits without using up an attempt: for seconds where another worker serves the
// bot, for half a minute where none does. A worker that serves it goes on at once.
func TestUpdateWaitsForAWorkerThatServesItsBot(t *testing.T) {
	for name, tt := range map[string]struct {
		elsewhere    bool
		waits, parks int
	}{
		"another serves it": {true, 4, 1},
		"nobody serves it":  {false, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				o := &others{}
				o.serve.Store(tt.elsewhere)
				r.fleet, r.lacks = o, true
				b := bot.New("b")
				b.Message(func(ctx context.Context, tt *bot.Turn) error { return tt.Answer(ctx, tt.Text()) })
				w := r.work(b)
				r.say(1, "hello")
				r.expect(4 * time.Second)
				if got := r.count("chatlane_turn_setbacks_total", "no_bot"); got != tt.waits {
					t.Errorf("%d waits in 4 s, want %d", got, tt.waits)
				}
				if o.met.Load() != botID {
					t.Errorf("bot %d is met, want %d", o.met.Load(), botID)
				}
				r.expectParked(uint64(tt.parks))
				w.stop()
				r.fleet, r.lacks = nil, false
				r.work(b)
				r.expect(32*time.Second, "1 hello")
				if dead := r.dead(); len(dead) != 0 {
					t.Errorf("dead: %v, want none", dead)
				}
				r.empty()
			})
		})
	}
}

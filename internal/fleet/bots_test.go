package fleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

// unfinished is what waits in the stream.
func (c *crew) unfinished() uint64 {
	c.t.Helper()
	depth, err := c.public.Depth(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return depth.Queued
}

// While a bot is added worker by worker, its updates wait for a worker that serves it, for seconds, and only
// partitions that have such updates move for their sake.
func TestUpdatesWaitForAWorkerThatServesTheirBot(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		const partitions = 48
		c := newCrew(t, s, partitions)
		old, both := []int64{42}, []int64{42, 43}
		for range 3 {
			c.joinFor(old)
		}
		c.settle()
		n := c.joinFor(both)
		if moved, _ := c.settle(); moved != 12 {
			t.Errorf("a fourth worker with one more bot: %d partitions moved, want 12", moved)
		}
		before := n.done.Load()
		c.sayTo(43, 20)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := n.done.Load() - before; got != 20 || c.unfinished() != 0 {
			t.Errorf("after 4 s %d of 20 updates of the new bot are done, %d wait", got, c.unfinished())
		}
		if lacking := c.members[0].presence.Lacking(); !slices.Equal(lacking, []int64{43}) || len(n.presence.Lacking()) != 0 {
			t.Errorf("the old workers lack %v, the new one %v; want bot 43 and none", lacking, n.presence.Lacking())
		}
		waited := int64(0)
		for range 4 { // it stays where it is served, and nothing goes back and forth
			for _, m := range c.members {
				waited -= m.waited.Load()
			}
			c.sayTo(43, 20)
			moved, _ := c.settle()
			for _, m := range c.members {
				waited += m.waited.Load()
			}
			if c.unfinished() != 0 || waited > 0 && moved > 20 {
				t.Errorf("%d updates wait, %d waits, %d partitions moved", c.unfinished(), waited, moved)
			}
		}
		if moved, _ := c.settle(); moved != 0 {
			t.Errorf("%d partitions move once all have moved that must", moved)
		}
		for _, m := range c.members[:3] { // the others follow
			m.stop()
			c.joinFor(both)
			time.Sleep(2 * time.Second)
		}
		c.settle()
		for _, m := range c.members[3:] {
			if got := c.held(m); got != partitions/4 {
				t.Errorf("once all are alike, a worker owns %d partitions, want %d", got, partitions/4)
			}
		}
	})
}

// A worker that lacks a bot gets no partition that has the bot's updates, and gives none away that it could serve.
func TestWorkerThatLacksABotLeavesItsPartitions(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := newCrew(t, s, 16)
		a := c.joinFor([]int64{42, 43})
		c.sayTo(43, 200) // in every partition
		c.settle()
		b := c.joinFor([]int64{42})
		c.sayTo(43, 200)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if c.held(a) != 16 || c.held(b) != 0 || b.waited.Load() != 0 || c.unfinished() != 0 {
			t.Errorf("they own %d and %d partitions, %d attempts waited, %d updates are left; want 16, 0, 0, 0", c.held(a), c.held(b), b.waited.Load(), c.unfinished())
		}
		if !b.presence.ServedElsewhere(43) || b.presence.ServedElsewhere(44) {
			t.Error("who serves bots 43 and 44 is not known")
		}
		time.Sleep(5 * time.Minute) // nobody writes to it any more
		c.settle()
		if c.held(a) != 8 || c.held(b) != 8 {
			t.Errorf("without updates of the bot they own %d and %d partitions, want 8 and 8", c.held(a), c.held(b))
		}
	})
}

// A worker with more bots than are believed of it sends no more heartbeats than another.
func TestManyBotsMakeNoMoreHeartbeats(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := newCrew(t, s, 4)
		bots := make([]int64, 5000)
		for i := range bots {
			bots[i] = int64(1000 + i)
		}
		c.joinFor(bots)
		c.settle()
		sub, err := c.public.NATS().SubscribeSync(c.public.Names().Presence())
		if err != nil {
			t.Fatal(err)
		}
		c.settle()
		before, _, err := sub.Pending()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		after, _, err := sub.Pending()
		if n := after - before; err != nil || n < 5 || n > 20 {
			t.Errorf("%d heartbeats in 5 s, %v; want 10 or so", n, err)
		}
	})
}

// A heartbeat of whoever is believed within bounds.
func TestHeartbeatsNeedNoMoreThanIsBelieved(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := newCrew(t, s, 4)
		m := c.joinFor([]int64{42})
		c.settle()
		for _, body := range []string{
			`{"worker":"x","bots":[43],"needs":{"43":[-1,0,4,99999999]}}`, `{"worker":"x","bots":[],"needs":{"43":null}}`, `{"worker":"x","needs":{"a":[1]}}`,
		} {
			if err := c.public.NATS().Publish("presence", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		c.settle()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := c.held(m); got != 4 {
			t.Errorf("the only worker owns %d partitions, want 4", got)
		}
	})
}

package fault

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
	"github.com/chatlane/chatlane/test/simctl"
)

// flow is tally traffic at a steady pace: in each round every chat sends one text, the chats
// one after the other, until the test stops it. It records the times, from which the longest
// wait of each chat follows.
type flow struct {
	*load
	every    time.Duration
	together atomic.Bool  // all chats send at once, instead of one after the other
	round    atomic.Int64 // the number of the text that is being sent

	said [][]time.Time // by chat: when text k was sent; text 0 is /tally. To be read after stop
	quit chan struct{}
	done chan struct{}
}

// deliver runs the webhook sender until the test ends.
func deliver(t *testing.T, r *harness.Rig, hooks ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Telegram.Deliver(ctx, simulator.WebhookConfig{
			Targets: hooks, Secret: harness.Secret, Twice: 0.02, Seed: 7, RetryBase: 200 * time.Millisecond,
		})
	}()
	t.Cleanup(func() { stop(); <-done })
}

// latency makes calls slow, so that faults meet turns half way.
func latency(r *harness.Rig, least, most time.Duration) {
	var n atomic.Uint64
	r.Telegram.Faults(func(string, int64) simulator.Fault {
		return simulator.Fault{Latency: least + time.Duration(n.Add(1)%64)*(most-least)/64}
	})
}

// pour starts the traffic.
func pour(t *testing.T, r *harness.Rig, chats int, every time.Duration) *flow {
	t.Helper()
	f := &flow{
		load: &load{t: t, r: r, chats: chats}, every: every,
		said: make([][]time.Time, chats), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go f.run()
	t.Cleanup(func() { f.stop() })
	return f
}

func (f *flow) run() {
	defer close(f.done)
	began := time.Now()
	for k := 0; ; k++ {
		select {
		case <-f.quit:
			if k > 1 {
				return // all chats have sent the same number of texts
			}
		default:
		}
		pause(time.Until(began.Add(time.Duration(k) * f.every)))
		f.round.Store(int64(k))
		for c := range f.chats {
			if !f.together.Load() {
				pause(time.Until(began.Add(time.Duration(k*f.chats+c) * f.every / time.Duration(f.chats))))
			}
			text := "/tally"
			if k > 0 {
				text = "text " + strconv.Itoa(k)
			}
			f.said[c] = append(f.said[c], time.Now())
			f.r.Telegram.Say(first+int64(c), "Ann", text)
		}
	}
}

// pause waits between two texts.
func pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}

// stop ends the traffic after the running round.
func (f *flow) stop() {
	select {
	case <-f.quit:
	default:
		close(f.quit)
	}
	<-f.done
	f.texts = len(f.said[0]) - 1
}

// finish ends the traffic, waits for the last reply of each chat, and checks that nothing
// is lost, repeated or out of order, and law 5's sum.
func (f *flow) finish(within time.Duration) simctl.Report {
	f.t.Helper()
	f.stop()
	return f.load.finish(within)
}

// replied is finish without law 5's sum, for tests that have dead letters.
func (f *flow) replied(within time.Duration) {
	f.t.Helper()
	f.stop()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	if err := f.r.Telegram.Await(ctx, simctl.TallyDone(first, f.chats, f.texts)); err != nil {
		f.t.Errorf("not every chat got its last reply: %v", err)
	}
	if err := f.r.Telegram.Idle(ctx); err != nil {
		f.t.Errorf("not every update was taken: %v", err)
	}
	report := simctl.CheckTally(f.r.Telegram, first, f.chats, f.texts)
	f.t.Log(report)
	if !report.Clean() {
		f.t.Error(report)
	}
}

// stored checks law 5 by the broker's counts alone: all updates were accepted and stored, none
// is still queued, and so many are dead letters.
func (f *flow) stored(updates, dead int) {
	f.t.Helper()
	c, err := broker.Connect(f.t.Context(), broker.Config{URL: f.r.NATSURL()})
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close(f.t.Context())
	var d broker.Depth
	harness.Eventually(f.t, 30*time.Second, "nothing queued", func() bool {
		d, err = c.Depth(f.t.Context())
		return err == nil && d.Queued+d.Parked == 0
	})
	if accepted := f.r.Telegram.First().Sent().Delivered; accepted != updates || int(d.Stored) < updates || int(d.Dead) != dead {
		f.t.Errorf("%d updates were sent, %d accepted, and %+v; want all accepted and stored, and %d dead letters", updates, accepted, d, dead)
	}
}

// chorus makes all chats send at once from now on, and waits until such a round begins.
func (f *flow) chorus() {
	f.t.Helper()
	f.together.Store(true)
	now := f.round.Load()
	harness.Eventually(f.t, 10*f.every, "the chats' next texts", func() bool { return f.round.Load() > now+1 })
}

// caughtUp waits until each chat has had a reply to a text that it sent after this call.
func (f *flow) caughtUp() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	if err := f.r.Telegram.Await(ctx, simctl.TallyDone(first, f.chats, int(f.round.Load())+1)); err != nil {
		f.t.Errorf("not every chat is answered again: %v", err)
	}
}

// silences returns, for each chat that waited for a reply between from and until, the longest
// time without one.
func (f *flow) silences(from, until time.Time, of func(chat int) bool) spread {
	worst := make([]time.Duration, f.chats)
	f.replies(func(chat int, said, before, at time.Time) {
		if before.After(said) {
			said = before
		}
		if said.Before(until) && at.After(from) {
			worst[chat] = max(worst[chat], at.Sub(said))
		}
	})
	var out spread
	for chat, d := range worst {
		if of(chat) && d > 0 {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

func everyChat(int) bool { return true }

// partitionOf is the partition of the chat's updates.
func partitionOf(chat int64, partitions int) int {
	bot, _, _ := strings.Cut(simulator.Token, ":")
	return int(partition.Of(bot+":c:"+strconv.FormatInt(chat, 10), partitions))
}

// answers are the times to the reply, for each text that one of the chats sent between from
// and until.
func (f *flow) answers(from, until time.Time, of func(chat int) bool) spread {
	var took spread
	f.replies(func(chat int, said, _, at time.Time) {
		if of(chat) && said.After(from) && said.Before(until) {
			took = append(took, at.Sub(said))
		}
	})
	slices.Sort(took)
	return took
}

// replies calls see for each reply to a text, with the time of the chat's reply before it.
func (f *flow) replies(see func(chat int, said, before, at time.Time)) {
	last := make([]time.Time, f.chats)
	next := make([]int, f.chats)
	for _, call := range f.r.Telegram.Calls(simulator.Filter{Method: "sendMessage"}) {
		c := int(call.Chat - first)
		if c < 0 || c >= f.chats || call.Text != fmt.Sprintf("%d. text %d", next[c]+1, next[c]+1) {
			continue
		}
		next[c]++
		see(c, f.said[c][next[c]], last[c], call.At)
		last[c] = call.At
	}
}

// spread is a sorted series of durations.
type spread []time.Duration

func (s spread) at(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	return s[min(int(share*float64(len(s))), len(s)-1)]
}

func (s spread) String() string {
	return fmt.Sprintf("median %v, p99 %v, max %v of %d", s.at(0.5).Round(time.Millisecond), s.at(0.99).Round(time.Millisecond),
		s.at(1).Round(time.Millisecond), len(s))
}

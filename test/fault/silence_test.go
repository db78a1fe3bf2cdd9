package fault

import (
	"slices"
	"testing"
	"time"

	"github.com/chatlane/chatlane/test/harness"
)

// The longest silences after a planned and an unplanned end of a worker, with PinTTL 2 s. On a
// busy machine every chat waits now and then, so the wait of chats whose partition does not
// move, at the same time, is added.
const (
	handOverMost = 300 * time.Millisecond // at the 99th percentile
	failoverMost = 3 * time.Second        // the longest
)

func TestChatsPauseShortlyWhenWorkersEnd(t *testing.T) {
	p := &pauses{t: t, r: harness.New(t)}
	_, hook := p.r.Ingress()
	for range 3 {
		p.workers = append(p.workers, p.start())
	}
	latency(p.r, 5*time.Millisecond, 15*time.Millisecond)
	deliver(t, p.r, hook)
	p.flow = pour(t, p.r, 1000, 4*time.Second)
	wait(t, 7*time.Second)
	var planned, killed []move
	for range rounds(1) {
		for i := range p.workers {
			planned = append(planned, p.during(2500*time.Millisecond, func() {
				if code := p.workers[i].Stop(); code != 0 {
					t.Errorf("worker exits with %d", code)
				}
			}))
			planned = append(planned, p.during(3*time.Second, func() { p.workers[i] = p.start() }))
		}
	}
	wait(t, time.Second) // so that no text meets both kinds
	for n := range rounds(1) {
		i := n % len(p.workers)
		killed = append(killed, p.during(4*time.Second, func() { p.flow.kill(p.workers[i]) }))
		p.workers[i] = p.start()
		wait(t, 2*time.Second)
	}
	p.flow.finish(time.Minute)

	moved, stayed := p.silences(planned)
	t.Logf("workers stopped and started, %d times: chats whose partition moves wait %v; others at the same time %v", len(planned), moved, stayed)
	if most := handOverMost + stayed.at(0.99); len(moved) < 1000 || moved.at(0.99) > most {
		t.Errorf("hand-over: p99 of %d silences is %v, want at most %v, of 1,000 and more", len(moved), moved.at(0.99), most)
	}
	for _, m := range killed {
		moved, stayed := p.silences([]move{m})
		t.Logf("a worker killed: chats whose partition moves wait %v; others at the same time %v", moved, stayed)
		if most := failoverMost + stayed.at(1); len(moved) == 0 || moved.at(1) > most {
			t.Errorf("failover: the longest of %d chats is %v, want at most %v", len(moved), moved.at(1), most)
		}
	}
}

// pauses measures the silences that a change among the workers causes.
type pauses struct {
	t       *testing.T
	r       *harness.Rig
	flow    *flow
	workers []*harness.Process
}

// move is one change, with the partitions whose owner changed.
type move struct {
	from, until time.Time
	partitions  map[int]bool
}

func (p *pauses) start() *harness.Process { return p.r.Worker("CHATLANE_PIN_TTL=2s") }

// during makes a change, waits, and notes which partitions have another owner.
func (p *pauses) during(d time.Duration, change func()) move {
	p.t.Helper()
	before := p.owners()
	m := move{from: time.Now(), partitions: make(map[int]bool)}
	change()
	wait(p.t, d)
	m.until = time.Now()
	after := p.owners()
	for i := range before {
		if before[i] != after[i] {
			m.partitions[i] = true
		}
	}
	return m
}

// owners names the worker that owns each partition.
func (p *pauses) owners() []string {
	owners := make([]string, p.r.Partitions)
	for _, w := range p.workers {
		for _, i := range w.Owned(p.t) {
			owners[i] = w.Caller
		}
	}
	return owners
}

// silences returns those of the chats in partitions that moved, and those of all others.
func (p *pauses) silences(moves []move) (moved, stayed spread) {
	for _, m := range moves {
		moves := func(chat int) bool { return m.partitions[partitionOf(first+int64(chat), p.r.Partitions)] }
		moved = append(moved, p.flow.silences(m.from, m.until, moves)...)
		stayed = append(stayed, p.flow.silences(m.from, m.until, func(chat int) bool { return !moves(chat) })...)
	}
	slices.Sort(moved)
	slices.Sort(stayed)
	return moved, stayed
}

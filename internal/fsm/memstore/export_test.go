package memstore

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
)

// NewHarness makes processes that share one memory.
func NewHarness() fsmtest.Harness {
	shared := newMemory()
	steal := func(name string) {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.locks[name] = &lock{until: time.Now().Add(500 * time.Millisecond), freed: make(chan struct{})}
	}
	return fsmtest.Harness{
		Process: func(_ *testing.T, c fsmtest.Config) fsmtest.Process {
			s := New(Config{LockTTL: c.LockTTL, SeenMax: c.SeenMax, SeenWindow: c.SeenWindow})
			s.mem = shared
			return fsmtest.Process{Store: s, Cut: func() { s.cut.Store(true) }, Heal: func() { s.cut.Store(false) }}
		},
		Steal:      func(_ *testing.T, k fsm.Keys) { steal(laneLock(k)) },
		StealState: func(_ *testing.T, k fsm.Keys) { steal(stateLock(k)) },
		MoveCursor: func(_ *testing.T, k fsm.Keys, stream int64, cursor uint64) {
			shared.mu.Lock()
			defer shared.mu.Unlock()
			l := shared.lane(k.Lane)
			l.stream, l.cursor = stream, cursor
		},
		Keys: func(*testing.T) int {
			shared.mu.Lock()
			defer shared.mu.Unlock()
			return len(shared.lanes) + len(shared.states)
		},
	}
}

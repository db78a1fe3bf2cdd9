package fsm_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grasp is a hold whose store answers as the test says.
type grasp struct {
	mu       sync.Mutex
	renewals []time.Time
	released int
	changes  []fsm.Change
	renew    func(ctx context.Context) error
	commit   error
	record   error
}

func (g *grasp) Record(context.Context, int, []byte) error { return g.record }
func (g *grasp) Fail(context.Context, int) error           { return g.record }

func (g *grasp) Renew(ctx context.Context) error {
	g.mu.Lock()
	g.renewals = append(g.renewals, time.Now())
	g.mu.Unlock()
	if g.renew == nil {
		return nil
	}
	return g.renew(ctx)
}

func (g *grasp) Commit(_ context.Context, c fsm.Change) error {
	g.changes = append(g.changes, c)
	return g.commit
}

func (g *grasp) Release(context.Context) error {
	g.released++
	return nil
}

const ttl = 3 * time.Second

func begin(t *testing.T, g *grasp, l fsm.Loaded) (*fsm.Session, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	at := fsm.Position{Stream: 9, Seq: 5, Update: 77}
	s, err := fsm.Begin(t.Context(), g, at, l, fsm.Lease{TTL: ttl, Since: time.Now()}, fsm.NewMetrics(reg))
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	return s, reg
}

func lost(s *fsm.Session) bool {
	select {
	case <-s.Lost():
		return true
	default:
		return false
	}
}

func TestKeeperRenewsEveryThirdOfTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &grasp{}
		began := time.Now()
		s, _ := begin(t, g, fsm.Loaded{})
		time.Sleep(time.Hour + time.Millisecond)
		synctest.Wait()
		if n := len(g.renewals); n != 3600 || g.renewals[0].Sub(began) != time.Second {
			t.Errorf("%d renewals in an hour, the first after %v", n, g.renewals[0].Sub(began))
		}
		if lost(s) {
			t.Error("lost although each renewal succeeded")
		}
		if err := s.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if len(g.renewals) != 3600 {
			t.Error("renewed after the commit")
		}
	})
}

func TestLockIsLostWhenNoRenewalSucceedsForATTL(t *testing.T) {
	for name, renew := range map[string]func(ctx context.Context) error{
		"failing": func(context.Context) error { return fsm.ErrUnavailable },
		"hanging": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &grasp{}
			s, reg := begin(t, g, fsm.Loaded{})
			time.Sleep(10*time.Second + time.Millisecond)
			synctest.Wait()
			g.mu.Lock()
			g.renew = renew
			g.mu.Unlock()
			time.Sleep(ttl - 2*time.Millisecond)
			synctest.Wait()
			if lost(s) {
				t.Errorf("%s: lost before the TTL was over", name)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if !lost(s) {
				t.Errorf("%s: not lost a TTL after the last success", name)
			}
			if err := s.Commit(t.Context()); !errors.Is(err, fsm.ErrLockLost) || len(g.changes) > 0 {
				t.Errorf("%s: commit: %v, %d sent", name, err, len(g.changes))
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if n := lockRefusals(t, reg); n != 1 {
				t.Errorf("%s: %v refusals counted", name, n)
			}
		})
	}
}

// lockRefusals reads chatlane_fsm_refusals_total{reason="lock"}.
func lockRefusals(t *testing.T, reg *prometheus.Registry) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "chatlane_fsm_refusals_total" && m.GetLabel()[0].GetValue() == "lock" {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatal("no such metric")
	return 0
}

func TestOneFailedRenewalLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		g := &grasp{renew: func(context.Context) error {
			if n++; n%2 == 1 {
				return fsm.ErrUnavailable
			}
			return nil
		}}
		s, _ := begin(t, g, fsm.Loaded{})
		time.Sleep(time.Minute)
		synctest.Wait()
		if lost(s) {
			t.Error("lost although every other renewal succeeded")
		}
		if err := s.Close(t.Context()); err != nil || g.released != 1 {
			t.Errorf("close: %v, released %d times", err, g.released)
		}
	})
}

func TestRefusedWriteEndsTheTurn(t *testing.T) {
	g := &grasp{record: fsm.ErrLockLost}
	s, _ := begin(t, g, fsm.Loaded{})
	if err := s.Record(t.Context(), 0, nil); !errors.Is(err, fsm.ErrLockLost) || !lost(s) {
		t.Errorf("record: %v, lost %v", err, lost(s))
	}
	if _, ok := s.Recall(0); ok {
		t.Error("recalled what was refused")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCommitOfADoneTurnMovesTheCursorAlone(t *testing.T) {
	for _, tt := range []struct {
		by     string
		loaded fsm.Loaded
		cursor uint64
	}{
		{fsm.DoneByCursor, fsm.Loaded{Stream: 9, Cursor: 8}, 8},
		{fsm.DoneByCursor, fsm.Loaded{Stream: 9, Cursor: 5}, 5},
		{fsm.DoneBySeen, fsm.Loaded{Stream: 9, Cursor: 4, Seen: true}, 5},
		{fsm.DoneBySeen, fsm.Loaded{Stream: 7, Cursor: 400, Seen: true}, 5},
		{fsm.DoneByState, fsm.Loaded{Stream: 9, Cursor: 4, Wrote: true}, 5},
		{"", fsm.Loaded{Stream: 9, Cursor: 4}, 5},
		{"", fsm.Loaded{Stream: 7, Cursor: 400}, 5},
		{"", fsm.Loaded{}, 5},
	} {
		g := &grasp{}
		s, _ := begin(t, g, tt.loaded)
		s.SetState("changed")
		if s.DoneBy() != tt.by {
			t.Errorf("%+v: done by %q, want %q", tt.loaded, s.DoneBy(), tt.by)
		}
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := g.changes[0]; c.Cursor != tt.cursor || c.Touched != (tt.by == "") {
			t.Errorf("%+v: committed %+v", tt.loaded, c)
		}
	}
}

func TestCommitOfUnknownOutcomeCanBeRepeated(t *testing.T) {
	g := &grasp{commit: fsm.ErrUnavailable}
	s, _ := begin(t, g, fsm.Loaded{})
	s.SetData([]byte("1"))
	if err := s.Commit(t.Context()); !errors.Is(err, fsm.ErrUnavailable) || lost(s) {
		t.Fatalf("commit: %v", err)
	}
	g.commit = nil
	if err := s.Commit(t.Context()); err != nil || len(g.changes) != 2 || string(g.changes[1].Data) != "1" {
		t.Errorf("second commit: %v, %d sent", err, len(g.changes))
	}
	if err := s.Commit(t.Context()); !errors.Is(err, fsm.ErrClosed) {
		t.Errorf("third commit: %v", err)
	}
	if err := s.Close(t.Context()); err != nil || g.released != 0 {
		t.Errorf("close after the commit: %v, released %d times", err, g.released)
	}
}

func TestSettingTheSameTouchesNothing(t *testing.T) {
	g := &grasp{}
	s, _ := begin(t, g, fsm.Loaded{State: "a", Data: []byte("1"), Meta: nil})
	s.SetState("a")
	s.SetData([]byte("1"))
	s.SetMeta([]byte{})
	if err := s.Commit(t.Context()); err != nil || g.changes[0].Touched {
		t.Errorf("commit: %v, %+v", err, g.changes[0])
	}
}

func TestSessionIsSafeForConcurrentUse(t *testing.T) {
	s, _ := begin(t, &grasp{}, fsm.Loaded{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				s.SetState(s.State() + "a")
				s.SetData(append([]byte(nil), s.Meta()...))
				s.SetMeta(s.Data())
				_ = s.Record(t.Context(), i, nil)
				s.Recall(i)
				s.Done()
			}
		})
	}
	all.Go(func() { _ = s.Commit(t.Context()) })
	all.Go(func() { _ = s.Close(t.Context()) })
	all.Wait()
}

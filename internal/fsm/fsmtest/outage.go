package fsmtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

func count(s *fsm.Session) {
	n, _ := strconv.Atoi(string(s.Data())) // nothing is 0
	s.SetState("counting")
	s.SetData([]byte(strconv.Itoa(n + 1)))
}

// answersOfACommit is more than any store's commit has.
const answersOfACommit = 5

// eachCut cuts the wire at every answer of a commit, with the request after the last one carried out, and not.
func eachCut(t *testing.T, h Harness, test func(t *testing.T, h Harness, k fsm.Keys, arm func(Process))) {
	t.Helper()
	probe := start(t, h)
	if probe.Wire == nil {
		t.Skip("there is no wire to cut")
	}
	var all sync.WaitGroup
	few := make(chan struct{}, 8) // at once: short locks need a machine that has time for them
	for name, k := range kinds() {
		for n := range answersOfACommit {
			for _, forward := range []bool{true, false} {
				all.Go(func() {
					few <- struct{}{}
					defer func() { <-few }()
					t.Run(fmt.Sprintf("%s after %d carried out %v", name, n, forward), func(t *testing.T) {
						k := k
						k.Lane, k.State = fmt.Sprintf("%s:%d%v", k.Lane, n, forward), fmt.Sprintf("%s:%d%v", k.State, n, forward)
						test(t, h, k, func(p Process) { p.Wire.CutAfter(n, forward) })
					})
				})
			}
		}
	}
	all.Wait()
}

func briefly(t *testing.T, do func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return do(ctx)
}

func lostAnswers(t *testing.T, h Harness) {
	eachCut(t, h, func(t *testing.T, h Harness, k fsm.Keys, arm func(Process)) {
		// A separate state's lock may be left to expire.
		p := h.Process(t, Config{LockTTL: 4 * lockTTL})
		session := open(t, p.Store, k, at(1))
		count(session)
		if err := session.Record(t.Context(), 0, []byte("made")); err != nil {
			t.Fatal(err)
		}
		arm(p)
		err := briefly(t, session.Commit)
		if err != nil && !errors.Is(err, fsm.ErrUnavailable) {
			t.Fatalf("commit on a cut wire: %v", err)
		}
		p.Wire.Heal()
		eventually(t, p.Store.Ping) // the first request may be lost with the old connection
		if err != nil {
			if err := session.Commit(t.Context()); err != nil {
				t.Fatalf("the second commit: %v", err)
			}
		}
		if r := peek(t, p.Store, k); string(r.Data) != "1" || r.Cursor != 1 || r.Locked || len(r.Journal) > 0 {
			t.Errorf("got %+v", r)
		}
		if s := open(t, p.Store, k, at(1)); s.DoneBy() != fsm.DoneByCursor {
			t.Errorf("the next session finds it done by %q", s.DoneBy())
		}
	})
}

// finishTurn does whatever is left of the turn, in a healthy process.
func finishTurn(t *testing.T, s Store, k fsm.Keys, p fsm.Position) (by string) {
	t.Helper()
	session := open(t, s, k, p)
	if by = session.DoneBy(); by == "" {
		count(session)
	}
	mustCommit(t, session)
	return by
}

func crashAnywhere(t *testing.T, h Harness) {
	var mu sync.Mutex
	ways := make(map[string]int)
	eachCut(t, h, func(t *testing.T, h Harness, k fsm.Keys, arm func(Process)) {
		crashing, next := h.Process(t, Config{LockTTL: lockTTL}), h.Process(t, Config{LockTTL: 4 * lockTTL})
		mustCommit(t, open(t, next.Store, k, at(1)))
		session := open(t, crashing.Store, k, at(2))
		count(session)
		session.Also(900)
		arm(crashing)
		_ = briefly(t, session.Commit) // it crashes: nobody receives the answer
		crashing.Wire.Cut()
		by := finishTurn(t, next.Store, k, at(2))
		mu.Lock()
		ways[by]++
		mu.Unlock()
		finishTurn(t, next.Store, k, at(3))
		also := open(t, next.Store, k, fsm.Position{Stream: stream, Seq: 4, Update: 900, Stored: at(4).Stored})
		if by != "" && !also.Done() {
			t.Errorf("done by %s, and what the turn did beside it is not", by)
		}
		mustClose(t, also)
		if r := peek(t, next.Store, k); string(r.Data) != "2" || r.Cursor != 3 || r.Locked {
			t.Errorf("two turns and a crash: %+v", r)
		}
	})
	if ways[fsm.DoneByCursor] == 0 || ways[""] == 0 || (ways[fsm.DoneByState] > 0) != h.TwoSteps {
		t.Errorf("the cuts met the commit at %v: not everywhere", ways)
	}
}

func crashThenOtherLane(t *testing.T, h Harness) {
	var byState atomic.Int32
	eachCut(t, h, func(t *testing.T, h Harness, k fsm.Keys, arm func(Process)) {
		if !k.Shared {
			return // no other lane has this state
		}
		other := k
		other.Lane += ":other"
		crashing, next := h.Process(t, Config{LockTTL: lockTTL}), h.Process(t, Config{LockTTL: 4 * lockTTL})
		session := open(t, crashing.Store, k, at(1))
		count(session)
		arm(crashing)
		_ = briefly(t, session.Commit)
		crashing.Wire.Cut()
		finishTurn(t, next.Store, other, at(2)) // it writes the state before the crashed turn comes again
		if finishTurn(t, next.Store, k, at(1)) == fsm.DoneByState {
			byState.Add(1)
		}
		finishTurn(t, next.Store, other, at(3))
		if r := peek(t, next.Store, k); string(r.Data) != "3" || r.Cursor != 1 {
			t.Errorf("three turns and a crash: %+v", r)
		}
	})
	if h.TwoSteps && byState.Load() == 0 {
		t.Error("no cut fell between the two steps")
	}
}

func restartKeeps(t *testing.T, h Harness) {
	if h.Restart == nil {
		t.Skip("memory forgets")
	}
	s := start(t, h).Store
	for name, k := range kinds() {
		k.Lane, k.State = k.Lane+":"+name[:1], k.State+":"+name[:1]
		commit(t, s, k, at(1), "a", "1")
		session := open(t, s, k, at(2))
		if err := session.Record(t.Context(), 0, []byte("made")); err != nil {
			t.Fatal(err)
		}
		if err := session.Fail(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		mustClose(t, session)
	}
	h.Restart(t)
	eventually(t, func(ctx context.Context) error { return s.Ping(ctx) })
	for name, k := range kinds() {
		k.Lane, k.State = k.Lane+":"+name[:1], k.State+":"+name[:1]
		session := open(t, s, k, at(2))
		e, _ := session.Recall(0)
		if session.State() != "a" || string(session.Data()) != "1" || string(e) != "made" || session.Attempts() != 1 {
			t.Errorf("%s: after the restart %q, %q, journal %q, %d attempts", name, session.State(), session.Data(), e, session.Attempts())
		}
		mustCommit(t, session)
		if !open(t, s, k, at(1)).Done() {
			t.Errorf("%s: the cursor is forgotten", name)
		}
	}
}

func eventually(t *testing.T, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		err := briefly(t, do)
		if err == nil {
			return
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("it does not come back: %v", err)
		}
	}
}

func outageUnavailable(t *testing.T, h Harness) {
	p := h.Process(t, Config{LockTTL: lockTTLLong})
	if !p.cuts() {
		t.Skip("nothing can be cut")
	}
	session := open(t, p.Store, group(), at(1))
	p.cut()
	other := group()
	other.Lane = "42:c:9"
	for what, do := range map[string]func(ctx context.Context) error{
		"open":   func(ctx context.Context) error { _, err := p.Store.Open(ctx, other, at(1)); return err },
		"record": func(ctx context.Context) error { return session.Record(ctx, 0, []byte("x")) },
		"fail":   func(ctx context.Context) error { return session.Fail(ctx, 1) },
		"commit": session.Commit,
		"peek":   func(ctx context.Context) error { _, err := p.Store.Peek(ctx, other); return err },
	} {
		if err := briefly(t, do); !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("%s while cut off: %v", what, err)
		}
	}
	p.heal()
	eventually(t, p.Store.Ping)
	mustCommit(t, session)
}

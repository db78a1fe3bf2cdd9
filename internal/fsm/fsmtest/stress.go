package fsmtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

// countExactly runs the same updates in several processes without any owner: lock and cursor alone keep the count.
func countExactly(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		const updates, workers = 40, 6
		procs := []Process{start(t, h), start(t, h), start(t, h)}
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for seq := uint64(1); seq <= updates; seq++ {
					turnUntilDone(t, procs[w%len(procs)].Store, k, at(seq))
				}
			})
		}
		all.Wait()
		if r := peek(t, procs[0].Store, k); string(r.Data) != strconv.Itoa(updates) || r.Cursor != updates {
			t.Errorf("%d updates by %d workers: %+v", updates, workers, r)
		}
	})
}

// countShared lets many lanes of one user count in one state.
func countShared(t *testing.T, h Harness) {
	const updates, lanes = 15, 5
	procs := []Process{start(t, h), start(t, h)}
	var all sync.WaitGroup
	for l := range lanes {
		all.Go(func() {
			for seq := uint64(1); seq <= updates; seq++ {
				turnUntilDone(t, procs[l%2].Store, global(fmt.Sprintf("42:c:%d", l)), at(seq))
			}
		})
	}
	all.Wait()
	if r := peek(t, procs[0].Store, global("42:c:0")); string(r.Data) != strconv.Itoa(updates*lanes) {
		t.Errorf("%d lanes of %d updates count %s", lanes, updates, r.Data)
	}
}

// turnUntilDone tries until the update is committed, by itself or another.
func turnUntilDone(t *testing.T, s Store, k fsm.Keys, p fsm.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		session, err := s.Open(ctx, k, p)
		if err != nil {
			t.Errorf("open at %d: %v", p.Seq, err)
			return
		}
		if !session.Done() {
			count(session)
		}
		err = session.Commit(ctx)
		if closeErr := session.Close(ctx); closeErr != nil {
			t.Errorf("close at %d: %v", p.Seq, closeErr)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, fsm.ErrLockLost) && !errors.Is(err, fsm.ErrCursorMoved) {
			t.Errorf("commit at %d: %v", p.Seq, err)
			return
		}
	}
	t.Errorf("update %d does not end", p.Seq)
}

func globalUser(t *testing.T, h Harness) {
	a, b := start(t, h).Store, start(t, h).Store
	first := open(t, a, global("42:c:1"), at(1))
	first.SetState("from one")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	_, err := b.Open(ctx, global("42:c:2"), at(2))
	cancel()
	if !errors.Is(err, fsm.ErrBusy) {
		t.Fatalf("another lane of the user: %v", err)
	}
	if r := peek(t, b, global("42:c:2")); r.Locked {
		t.Error("who gave up waiting for the state kept its lane")
	}
	mustCommit(t, first)
	second := open(t, b, global("42:c:2"), at(2))
	if second.State() != "from one" {
		t.Errorf("the other lane finds %q", second.State())
	}
	mustCommit(t, second)
}

// waitKeepsLane waits for a state longer than the lane's lock lives.
func waitKeepsLane(t *testing.T, h Harness) {
	p := h.Process(t, Config{LockTTL: lockTTL})
	holder := open(t, p.Store, global("42:c:1"), at(1))
	got := make(chan *fsm.Session, 1)
	go func() {
		defer close(got)
		s, err := p.Store.Open(t.Context(), global("42:c:2"), at(2))
		if err != nil {
			t.Errorf("wait for the state: %v", err)
			return
		}
		got <- s
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockTTL)
	defer cancel()
	<-ctx.Done()
	mustCommit(t, holder)
	if s := <-got; s != nil {
		if err := s.Record(t.Context(), 0, []byte("x")); err != nil {
			t.Errorf("record after the wait: %v", err)
		}
		mustCommit(t, s)
	}
}

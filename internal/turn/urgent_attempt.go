package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
)

// attemptUrgent succeeds once per update: the run has its own record with lock, journal and cursor.
func (t *task) attemptUrgent(ctx context.Context, p bot.Parts, brought map[int][]byte) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
	}()
	opening, cancel := context.WithTimeout(ctx, t.r.cfg.OpenWait)
	defer cancel()
	s, err := t.r.deps.Store.Open(opening, t.urgentKeys(), storePosition(t.d))
	if err != nil {
		return fmt.Errorf("open urgent turn in lane %s: %w", t.d.Lane, err)
	}
	defer t.close(ctx, s)
	if s.Done() {
		return nil
	}
	own := t.r.results.of(t.urgentPosition()) // under the lock: an earlier term's run has ended
	defer func() {
		if err != nil {
			t.urgent.entries = own.journal(s, brought).all()
		}
	}()
	start, err := t.suspectUrgent(ctx, s, own)
	defer start.end(ctx)
	if err != nil {
		return err
	}
	calls := t.give(&p, s, own, brought)
	var stopped cancelledTurns
	p.CancelRunning = func() { stopped.add(t.r.running.interrupt(t.d.Lane, t.d.Seq)) }
	err = t.supervise(ctx, s, calls, func(ctx context.Context) error { return t.r.deps.Program.AnswerUrgent(ctx, bot.NewTurn(p)) })
	if err != nil && !errors.Is(err, bot.ErrUnhandled) {
		t.r.log.WarnContext(ctx, "urgent handler failed, the lane tries it again", t.attrs(slog.String("error", err.Error()))...)
		return err
	}
	start.giveWay() // a cancelled turn may be a waiting suspect
	stopped.wait(ctx, t.r.cfg.Deadline)
	return s.Commit(ctx)
}

// urgentStart is the start of an urgent run; zero for one that is no suspect.
type urgentStart struct {
	t       *task
	session *fsm.Session
	own     *unfinished
	before  int  // starts that nobody ended
	marked  bool // one more is written
	alone   bool // it is the one suspect that may run
}

// suspectUrgent is suspect for an urgent run. End the start also after an error.
func (t *task) suspectUrgent(ctx context.Context, s *fsm.Session, own *unfinished) (start urgentStart, err error) {
	n := unendedStarts(s) - own.ownStarts(s)
	start = urgentStart{t: t, session: s, own: own, before: n}
	switch {
	case !t.d.Inherited && n == 0:
		return start, nil
	case n >= maxStarts:
		return start, fmt.Errorf("%w: %d times, in its urgent handler", ErrCrashed, n)
	case n >= suspectFrom:
		if err := t.r.awaitSuspects(ctx); err != nil {
			return start, err
		}
		start.alone = true
	}
	own.startBegan(s)
	if err := writeStarts(ctx, s, n+1); err != nil {
		return start, err
	}
	start.marked = true
	return start, nil
}

func (u *urgentStart) giveWay() {
	if u.alone {
		u.alone = false
		<-u.t.r.suspects
	}
}

func (u *urgentStart) end(ctx context.Context) {
	u.giveWay()
	if !u.marked {
		return
	}
	ctx, cancel := fsm.CleanUp(ctx)
	defer cancel()
	if writeStarts(ctx, u.session, u.before) == nil {
		u.own.startEnded()
	}
}

// After a commit the session refuses to count the start down.
func (t *task) urgentKeys() fsm.Keys {
	id := "!u" + strconv.FormatInt(t.d.ID, 10)
	if t.d.Replay != 0 || t.d.ID == 0 {
		id = "!s" + strconv.FormatUint(t.d.Seq, 10)
	}
	return fsm.Keys{Lane: t.keys.Lane + id, Home: t.keys.Home}
}

type cancelledTurns struct {
	mu  sync.Mutex
	all []*runningTurn
}

func (c *cancelledTurns) add(one *runningTurn) {
	if one == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, one)
}

// wait returns when the cancelled turns are over. If the urgent run committed first, a crash in
// between would bring a cancelled turn back, with no urgent run to cancel it again.
func (c *cancelledTurns) wait(ctx context.Context, limit time.Duration) {
	c.mu.Lock()
	all := c.all
	c.mu.Unlock()
	late := time.NewTimer(limit)
	defer late.Stop()
	for _, one := range all {
		select {
		case <-one.ended:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

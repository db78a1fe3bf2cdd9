package turn

import (
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
)

// task is one update at the head of its lane, through all its attempts in this worker.
// Its lane runs it, so one goroutine at a time does; the urgent run has a part of its own.
type task struct {
	r    *Runner
	d    *queue.Delivery
	keys fsm.Keys

	urgent     *urgentRun // nil where no urgent handler is for the update's type
	album      album
	running    *runningTurn // nil where no urgent update can cancel the turn
	endRunning func()

	// Of one attempt.
	began    time.Time
	session  *fsm.Session // nil until the lane is open
	openWait time.Duration
	alone    bool // it holds the place of the one suspect that may run
	outcome  string
	timer    timerWish

	// Of all attempts here.
	first     time.Time // when the first one began
	attempts  int       // that failed, earlier owners' included
	waits     int       // in a row, that were not the update's fault
	marked    bool      // its start marker is written
	admitted  bool      // the gates let it pass
	discarded discard   // why it was given up; zero while it is not
}

func (t *task) attrs(more ...any) []any {
	return append([]any{
		slog.Int64("bot", t.d.Scope.Bot), slog.String("lane", string(t.d.Lane)),
		slog.Int64("update", t.d.ID), slog.Uint64("seq", t.d.Seq),
	}, more...)
}

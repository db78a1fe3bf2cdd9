package turn

import (
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// task is one update through all its attempts in this worker. Only its lane runs it, but for the urgent run.
type task struct {
	r    *Runner
	d    *queue.Delivery
	keys fsm.Keys

	urgent     *urgentRun // nil unless an urgent handler takes the type
	album      album
	running    *runningTurn // nil if no urgent update can cancel the turn
	endRunning func()

	// Of one attempt.
	began    time.Time
	session  *fsm.Session // nil until the lane is open
	openWait time.Duration
	alone    bool // it is the one suspect that may run
	outcome  string
	timer    timerWish

	// Of all attempts here.
	first     time.Time     // start of the first one
	attempts  int           // failed ones, earlier owners' included
	waits     int           // in a row, not the update's fault
	marked    bool          // its start marker is written
	admitted  bool          // the gates let it pass
	discarded discard       // zero while it is not given up
	journal   *journal.Kept // see brought; nil before it is decoded
}

func (t *task) attrs(more ...any) []any {
	return append([]any{
		slog.Int64("bot", t.d.Scope.Bot), slog.String("lane", string(t.d.Lane)),
		slog.Int64("update", t.d.ID), slog.Uint64("seq", t.d.Seq),
	}, more...)
}

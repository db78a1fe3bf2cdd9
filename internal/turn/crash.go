package turn

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatlane/chatlane/internal/fsm"
)

// A handler may end its whole process: a panic in a goroutine of its own, memory
// without end. No error comes of that, so no attempt is counted, and the update
// would end one worker after the other.
//
// So an update that an earlier owner may have begun is noted as begun before its
// handler runs, in its own journal: the note goes with the commit, stands for nothing
// once an attempt has failed, and is taken back when the turn is left. What is still
// there is a start that nobody ended. A first delivery costs nothing.
//
// Who was cut off in the middle of a turn cannot take its note back, and runningTurns: it
// remembers that the note is its own, and does not count it when the update comes back;
// not without end, since an update may also stall its worker each time.
//
// Whoever was under way when a worker died is noted too, innocent or not. Therefore
// an update with several such starts is a suspect, and suspects run one at a time:
// then only the guilty one is under way when the worker dies.
const (
	startsIndex = -1 // in the journal; no call has it
	suspectFrom = 2  // starts in a row that nobody ended
	maxStarts   = 5  // then the update is a dead letter
	maxOwn      = 50 // starts of its own that a worker leaves out of account
)

// ErrCrashed says that an update was under way each time that its worker died.
var ErrCrashed = errors.New("update was begun again and again, and its worker died each time")

// unendedStarts is how often in a row the update was begun and neither committed, nor
// failed, nor left.
func unendedStarts(s *fsm.Session) int {
	raw, ok := s.Recall(startsIndex)
	var n, attempts int
	if _, err := fmt.Sscanf(string(raw), "%d %d", &n, &attempts); !ok || err != nil || attempts != s.Attempts() {
		return 0
	}
	return n
}

// begin notes that the turn begins, where an earlier owner may have begun it too. Done
// ends a suspect's time alone.
func (t *task) begin(ctx context.Context, s *fsm.Session) (done func(), err error) {
	done = func() {}
	n := unendedStarts(s)
	if !t.d.Inherited && n == 0 {
		return done, nil
	}
	own := t.r.results.of(t.position())
	n -= own.ownStarts(s)
	switch {
	case n >= maxStarts:
		return done, fmt.Errorf("%w: %d times", ErrCrashed, n)
	case n >= suspectFrom:
		if done, err = t.r.alone(ctx); err != nil {
			return done, err
		}
	}
	own = t.r.results.of(t.position()) // it may have become known while this one waited
	own.markStart(s)                   // also when the answer is lost
	if err := t.markStarts(ctx, s, n+1); err != nil {
		done()
		return func() {}, err
	}
	t.startMarked = true
	return done, nil
}

// leave takes the note back: who leaves a turn runningTurns.
func (t *task) unmarkStart(ctx context.Context, s *fsm.Session) {
	if !t.startMarked || s == nil {
		return
	}
	t.startMarked = false
	ctx, cancel := fsm.CleanUp(ctx)
	defer cancel()
	if t.markStarts(ctx, s, unendedStarts(s)-1) == nil { // the lock may be gone: then others count it, as one start of several
		t.r.results.of(t.position()).clearStart()
	}
}

func (t *task) markStarts(ctx context.Context, s *fsm.Session, starts int) error {
	return s.Record(ctx, startsIndex, fmt.Appendf(nil, "%d %d", starts, s.Attempts()))
}

// alone waits until no other suspect runs in this worker.
func (r *Runner) alone(ctx context.Context) (done func(), err error) {
	select {
	case r.suspects <- struct{}{}:
		return func() { <-r.suspects }, nil
	case <-ctx.Done():
		return func() {}, context.Cause(ctx)
	}
}

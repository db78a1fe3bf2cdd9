package forward

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chatlane/chatlane/bot"
)

// A bot whose process dies takes the answers of all updates under way with it, and one of them at most has killed it.
// Answers that are lost together are counted apart from attempts. An update that was among them several times is a
// suspect, and a worker posts one suspect at a time: from then on only the guilty one is there when the bot dies.
// An answer that is lost alone uses an attempt up. See docs/decisions/0009-forwarding.md.
const (
	together    = 300 * time.Millisecond // answers lost within it were lost at once
	suspectFrom = 2                      // losses with others
	maxLost     = 5                      // then the update is a dead letter
	maxCounted  = 1 << 14                // updates; bounds memory
)

// crashes are the lost answers of one bot. They are this worker's alone: an update that moves is counted anew.
type crashes struct {
	mu     sync.Mutex
	lost   map[int64]int // by update id, while it is not answered
	last   time.Time     // when an answer was lost
	which  int64         // the update of that one
	others chan struct{} // closed when the answer of another update is lost
	place  chan struct{} // holds the suspect that is posted
}

func newCrashes() *crashes {
	return &crashes{lost: make(map[int64]int), others: make(chan struct{}), place: make(chan struct{}, 1)}
}

var errSuspects = errors.New("bot died with several updates, which are tried one at a time")

// enter lets one suspect at a time pass; the others come again. They do not wait here, where a handler's time runs.
func (c *crashes) enter(update int64) (leave func(), err error) {
	c.mu.Lock()
	n := c.lost[update]
	c.mu.Unlock()
	if n < suspectFrom {
		return func() {}, nil
	}
	select {
	case c.place <- struct{}{}:
		return func() { <-c.place }, nil
	default:
		return nil, &bot.UnavailableError{Err: errSuspects}
	}
}

func (c *crashes) answered(update int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.lost, update)
}

// losing is the error of an update whose answer was lost with err.
func (c *crashes) losing(ctx context.Context, update int64, err error) error {
	if !c.withOthers(ctx, update) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lost) >= maxCounted {
		clear(c.lost)
	}
	c.lost[update]++
	n := c.lost[update]
	if n < maxLost {
		return &bot.UnavailableError{Err: err}
	}
	delete(c.lost, update)
	return &CrashError{Times: n, err: err}
}

// withOthers waits a moment for others to lose their answers too.
func (c *crashes) withOthers(ctx context.Context, update int64) bool {
	c.mu.Lock()
	now := time.Now()
	with := now.Sub(c.last) < together && c.which != update
	c.last, c.which = now, update
	close(c.others)
	mine := make(chan struct{})
	c.others = mine
	c.mu.Unlock()
	if with {
		return true
	}
	moment := time.NewTimer(together)
	defer moment.Stop()
	select {
	case <-mine:
		return true
	case <-moment.C:
	case <-ctx.Done():
	}
	return false
}

// CrashError says that an update was under way each time that the bot died.
type CrashError struct {
	Times int
	err   error
}

func (e *CrashError) Error() string {
	return fmt.Sprintf("bot died %d times with this update under way: %v", e.Times, e.err)
}

// Unwrap gives how the last answer was lost.
func (e *CrashError) Unwrap() error { return e.err }

// Crashed tells the pipeline that a further attempt would end the bot once more.
func (e *CrashError) Crashed() bool { return true }

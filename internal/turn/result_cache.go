package turn

import (
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/chatlane/chatlane/internal/fsm"
)

// cached is a turn's journal as its calls see it: the session's, and what could not
// be written to it. A call that was made while the store was away is so remembered
// by the process that made it, and is not made again when the turn goes on here.
type cached struct {
	home resultCache // where it outlives the partition's loss
	at   position

	mu      sync.Mutex
	kept    map[int][]byte
	started bool // this process noted that the turn began, and has not taken that back
	failed  int  // attempts at that time: when one fails, the note stands for nothing
	cuts    int  // how often in a row that was so
}

// start notes that this process begins the turn.
func (m *cached) markStart(s *fsm.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started, m.failed = true, s.Attempts()
	m.cuts++
	m.home.keep(m)
}

// left notes that it took the note of that back.
func (m *cached) clearStart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started, m.cuts = false, 0
	if len(m.kept) == 0 {
		m.home.forget(m.at)
	}
}

// starts is how many of the starts that are noted are this process's: 1 or 0, since
// each of its own stands for the one before.
func (m *cached) ownStarts(s *fsm.Session) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started && m.failed == s.Attempts() && unendedStarts(s) > 0 && m.cuts <= maxOwn {
		return 1
	}
	return 0
}

// memory holds the memos of updates that are not finished: where the store is in the
// broker, both are away at once, and what could not be written down must still be
// known when the partition comes back to this process. The memos of updates that others
// have finished go when there are many newer ones.
type resultCache struct {
	updates *expirable.LRU[position, *cached]
}

// position is an update's position in its stream.
type position struct {
	stream int64
	seq    uint64
	urgent bool // its turn beside the lane
}

const maxCached = 4096

func newResultCache() resultCache {
	return resultCache{expirable.NewLRU[position, *cached](maxCached, nil, 0)}
}

// of gives what is known of the update at that place.
func (c resultCache) of(at position) *cached {
	if known, ok := c.updates.Get(at); ok {
		return known
	}
	return &cached{home: c, at: at}
}

func (c resultCache) keep(v *cached) { c.updates.Add(v.at, v) }

// forget is for an update that is finished.
func (c resultCache) forget(at position) { c.updates.Remove(at) }

// journal joins the cached entry with the session of one attempt.
func (m *cached) journal(s *fsm.Session) *attemptJournal {
	return &attemptJournal{cached: m, session: s}
}

type attemptJournal struct {
	cached  *cached
	session *fsm.Session
}

// Recall implements telegram.Journal.
func (j *attemptJournal) Recall(index int) (entry []byte, ok bool) {
	if entry, ok := j.session.Recall(index); ok {
		return entry, true
	}
	j.cached.mu.Lock()
	defer j.cached.mu.Unlock()
	entry, ok = j.cached.kept[index]
	return entry, ok
}

// Held implements telegram.Holder.
func (j *attemptJournal) Held() error { return j.session.Held() }

// Record implements telegram.Journal. Its error still ends the attempt: the result
// counts only when it is written, or when this process is asked again.
func (j *attemptJournal) Record(ctx context.Context, index int, entry []byte) error {
	err := j.session.Record(ctx, index, entry)
	j.cached.mu.Lock()
	defer j.cached.mu.Unlock()
	if err == nil {
		delete(j.cached.kept, index)
		return nil
	}
	if j.cached.kept == nil {
		j.cached.kept = make(map[int][]byte)
	}
	j.cached.kept[index] = entry
	j.cached.home.keep(j.cached)
	return err
}

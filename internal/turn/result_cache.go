package turn

import (
	"context"
	"maps"
	"sync"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/chatlane/chatlane/internal/fsm"
)

// resultCache holds what this worker could not write to the store about unfinished updates. It
// outlives the loss of a partition: a store in the broker fails with it, and the partition may
// come back here (docs/decisions/0003-journal-while-the-store-is-away.md).
type resultCache struct {
	updates *expirable.LRU[position, *unfinished]
}

type position struct {
	stream int64
	seq    uint64
	urgent bool // its urgent run
}

func (t *task) position() position { return position{stream: t.d.Stream, seq: t.d.Seq} }

func (t *task) urgentPosition() position {
	return position{stream: t.d.Stream, seq: t.d.Seq, urgent: true}
}

// maxCached bounds the cache. Newer entries push out updates that other workers have finished.
const maxCached = 4096

func newResultCache() resultCache {
	return resultCache{expirable.NewLRU[position, *unfinished](maxCached, nil, 0)}
}

// of is never nil.
func (c resultCache) of(at position) *unfinished {
	if known, ok := c.updates.Get(at); ok {
		return known
	}
	return &unfinished{cache: c, at: at}
}

func (c resultCache) keep(u *unfinished) { c.updates.Add(u.at, u) }

func (c resultCache) forget(at position) { c.updates.Remove(at) }

func (t *task) forget() {
	t.r.results.forget(t.position())
	if t.urgent != nil {
		t.r.results.forget(t.urgentPosition())
	}
}

// unfinished is what this worker knows of one update. Safe for concurrent use.
type unfinished struct {
	cache resultCache
	at    position

	mu      sync.Mutex
	results map[int][]byte // of calls, by journal index: not yet written
	started bool           // the marker counts a start of this worker
	failed  int            // attempts at that start; a later failure voids the start
	cuts    int            // own starts in a row that were not counted down
}

// startBegan notes that the marker's next start is this worker's.
func (u *unfinished) startBegan(s *fsm.Session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.started, u.failed = true, s.Attempts()
	u.cuts++
	u.cache.keep(u)
}

func (u *unfinished) startEnded() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.started, u.cuts = false, 0
	if len(u.results) == 0 {
		u.cache.forget(u.at)
	}
}

// ownStarts is 1 or 0, since each start of this worker replaces the one before in the marker.
func (u *unfinished) ownStarts(s *fsm.Session) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.started && u.failed == s.Attempts() && unendedStarts(s) > 0 && u.cuts <= maxOwn {
		return 1
	}
	return 0
}

func (u *unfinished) journal(s *fsm.Session, brought map[int][]byte) *callJournal {
	return &callJournal{own: u, session: s, brought: brought}
}

// callJournal adds the cached results, and those that a replay brings, to a session's journal.
type callJournal struct {
	own     *unfinished
	session *fsm.Session
	brought map[int][]byte
}

// Recall implements journal.Journal.
func (j *callJournal) Recall(index int) (entry []byte, ok bool) {
	if entry, ok := j.session.Recall(index); ok {
		return entry, true
	}
	j.own.mu.Lock()
	defer j.own.mu.Unlock()
	if entry, ok = j.own.results[index]; !ok {
		entry, ok = j.brought[index]
	}
	return entry, ok
}

// all is every entry that Recall finds. The session may be nil here.
func (j *callJournal) all() map[int][]byte {
	all := make(map[int][]byte)
	maps.Copy(all, j.brought)
	j.own.mu.Lock()
	maps.Copy(all, j.own.results)
	j.own.mu.Unlock()
	if j.session != nil {
		maps.Copy(all, j.session.Journal())
	}
	return all
}

// Held implements journal.Holder.
func (j *callJournal) Held() error { return j.session.Held() }

// Record implements journal.Journal. An error ends the attempt: another worker sees only what is written.
func (j *callJournal) Record(ctx context.Context, index int, entry []byte) error {
	err := j.session.Record(ctx, index, entry)
	j.own.mu.Lock()
	defer j.own.mu.Unlock()
	if err == nil {
		delete(j.own.results, index)
		return nil
	}
	if j.own.results == nil {
		j.own.results = make(map[int][]byte)
	}
	j.own.results[index] = entry
	j.own.cache.keep(j.own)
	return err
}

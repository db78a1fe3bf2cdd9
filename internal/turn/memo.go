package turn

import (
	"context"
	"sync"

	"github.com/chatlane/chatlane/internal/fsm"
)

// memo is a turn's journal as its calls see it: the session's, and what could not
// be written to it. A call that was made while the store was away is so remembered
// by the process that made it, and is not made again when the turn goes on here.
type memo struct {
	home *memory // where it outlives the partition's loss; nil: nowhere
	at   place

	mu   sync.Mutex
	kept map[int][]byte
}

// memory holds the memos of updates that are not finished: where the store is in the
// broker, both are away at once, and what could not be written down must still be
// known when the partition comes back to this process.
type memory struct {
	mu    sync.Mutex
	memos map[place]*memo
}

// place is an update's position in its stream.
type place struct {
	stream int64
	seq    uint64
}

// maxMemos bounds what is remembered of updates that others may have finished.
const maxMemos = 4096

// memo is what is known of the update at that place.
func (m *memory) memo(at place) *memo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.memos[at]; known != nil {
		return known
	}
	return &memo{home: m, at: at}
}

func (m *memory) keep(v *memo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.memos == nil {
		m.memos = make(map[place]*memo)
	}
	for at := range m.memos {
		if len(m.memos) < maxMemos {
			break
		}
		delete(m.memos, at)
	}
	m.memos[v.at] = v
}

// forget is for an update that is finished.
func (m *memory) forget(at place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.memos, at)
}

// of joins the memo with the session of one attempt.
func (m *memo) of(s *fsm.Session) *attemptJournal { return &attemptJournal{memo: m, session: s} }

type attemptJournal struct {
	memo    *memo
	session *fsm.Session
}

// Recall implements telegram.Journal.
func (j *attemptJournal) Recall(index int) (entry []byte, ok bool) {
	if entry, ok := j.session.Recall(index); ok {
		return entry, true
	}
	j.memo.mu.Lock()
	defer j.memo.mu.Unlock()
	entry, ok = j.memo.kept[index]
	return entry, ok
}

// Held implements telegram.Holder.
func (j *attemptJournal) Held() error { return j.session.Held() }

// Record implements telegram.Journal. Its error still ends the attempt: the result
// counts only when it is written, or when this process is asked again.
func (j *attemptJournal) Record(ctx context.Context, index int, entry []byte) error {
	err := j.session.Record(ctx, index, entry)
	j.memo.mu.Lock()
	defer j.memo.mu.Unlock()
	if err == nil {
		delete(j.memo.kept, index)
		return nil
	}
	if j.memo.kept == nil {
		j.memo.kept = make(map[int][]byte)
	}
	j.memo.kept[index] = entry
	if j.memo.home != nil {
		j.memo.home.keep(j.memo)
	}
	return err
}

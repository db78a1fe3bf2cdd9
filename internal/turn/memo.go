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
	mu   sync.Mutex
	kept map[int][]byte
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
	return err
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Store keeps a turn's entries until its commit. One turn at a time uses it, with any number of concurrent calls.
type Store interface {
	// Recall returns an entry of an earlier attempt, from memory.
	Recall(index int) (entry []byte, ok bool)
	// Record stores an entry durably before it returns, over an earlier one.
	Record(ctx context.Context, index int, entry []byte) error
}

// recallGap is how many missing indexes in a row end the journal. Gaps come from concurrent calls that a
// crash kept from being recorded.
const recallGap = 64

// Journal matches the calls of one attempt with the entries of earlier ones. Safe for concurrent use once its
// exported fields are set.
//
// Concurrent calls come in any order, so order decides only between equal calls. An entry that no call has
// asked for keeps its index, since a later call or attempt may ask for it: new entries go behind it.
type Journal struct {
	Store      Store // nil keeps nothing: neither Begin nor Record may be called
	Metrics    *Metrics
	RecordTime time.Duration // for one Record, also after its context ended

	mu     sync.Mutex
	loaded bool
	old    []recalled
	newer  error // what a newer release wrote: no call is made
	calls  int   // begun so far in this attempt
	end    int   // the next free index
}

type recalled struct {
	Entry
	index int
	taken bool
}

// Slot is the place of one call in the journal.
type Slot struct {
	Old   Entry // the earlier attempt's entry for this very call
	Found bool  // there is one
	Err   error // nothing may be done
	index int
}

// Begin takes a call's slot. Call it as the call starts.
func (j *Journal) Begin(d Digest) Slot {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.load()
	if j.newer != nil {
		return Slot{Err: j.newer}
	}
	nth := j.calls
	j.calls++
	at := slices.IndexFunc(j.old, func(e recalled) bool { return !e.taken && e.Digest == d })
	if at >= 0 {
		e := &j.old[at]
		e.taken = true
		if e.Status == Result || e.Status == Refused {
			j.Metrics.replays.Inc()
		}
		return Slot{index: e.index, Old: e.Entry, Found: true}
	}
	if slices.ContainsFunc(j.old, func(e recalled) bool { return !e.taken && e.index == nth }) {
		j.Metrics.divergences.Inc()
	}
	s := Slot{index: j.end}
	j.end++
	return s
}

// load decodes the entries at the first call, since most turns need none. The caller holds j.mu.
func (j *Journal) load() {
	if j.loaded {
		return
	}
	j.loaded = true
	for i, missing := 0, 0; missing < recallGap; i++ {
		raw, ok := j.Store.Recall(i)
		if !ok {
			missing++
			continue
		}
		j.end, missing = i+1, 0
		e, err := Decode(raw)
		if errors.Is(err, ErrNewer) {
			j.newer = err
		}
		if err == nil {
			j.old = append(j.old, recalled{Entry: e, index: i})
		}
	}
}

// Record stores an entry, also up to RecordTime after ctx has ended: an answer that has arrived must not be
// lost because the handler ran out of time.
func (j *Journal) Record(ctx context.Context, s Slot, e Entry) error {
	e.At = time.Now()
	raw, err := e.Encode()
	if err != nil {
		return fmt.Errorf("encode journal entry: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.RecordTime)
	defer cancel()
	if err := j.Store.Record(ctx, s.index, raw); err != nil {
		return fmt.Errorf("record call in journal: %w", err)
	}
	return nil
}

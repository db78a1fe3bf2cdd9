package telegram

import (
	"context"
	"slices"
	"sync"
)

// Journal keeps the results of a turn's calls until the turn is committed. It is
// used by one turn at a time, and by the concurrent calls of that turn.
type Journal interface {
	// Recall gives the entry of an earlier attempt; it does not fetch.
	Recall(index int) (entry []byte, ok bool)
	// Record stores an entry for good before it returns, over an earlier one.
	Record(ctx context.Context, index int, entry []byte) error
}

// Holder is a journal that knows whether its turn may still have effect. It is asked
// right before each request: a process that was frozen on the way to it may have been
// replaced meanwhile.
type Holder interface {
	Held() error
}

// recallGap is how many indexes in a row may be missing before the end of the
// journal: calls that ran at the same time and were not recorded before a crash.
const recallGap = 64

// replay matches the calls of this attempt with the entries of earlier ones.
//
// A handler that calls concurrently does not call in the same order twice, so the
// order only decides between equal calls; what finds an entry is the digest. An entry
// that is not asked for stays where it is, since a later call or attempt may ask for
// it: new entries go behind the old ones.
type replay struct {
	journal Journal

	mu     sync.Mutex
	loaded bool
	old    []recalled
	calls  int // made so far in this attempt
	end    int // the next free index
}

type recalled struct {
	entry
	index int
	taken bool
}

// slot is the place of one call in the journal.
type slot struct {
	index    int
	old      entry
	found    bool // old is of this very call
	diverged bool // an earlier attempt made another call at this point
}

// begin takes the next call's slot. It is called as the call starts.
func (r *replay) begin(d digest) slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.load()
	nth := r.calls
	r.calls++
	at := slices.IndexFunc(r.old, func(e recalled) bool { return !e.taken && e.digest == d })
	if at >= 0 {
		r.old[at].taken = true
		return slot{index: r.old[at].index, old: r.old[at].entry, found: true}
	}
	other := slices.ContainsFunc(r.old, func(e recalled) bool { return !e.taken && e.index == nth })
	s := slot{index: r.end, diverged: other}
	r.end++
	return s
}

// load reads what earlier attempts left, at the first call: most turns have one
// attempt, and some make no call. It needs r.mu.
func (r *replay) load() {
	if r.loaded {
		return
	}
	r.loaded = true
	for i, missing := 0, 0; missing < recallGap; i++ {
		raw, ok := r.journal.Recall(i)
		if !ok {
			missing++
			continue
		}
		r.end, missing = i+1, 0
		if e, err := decodeEntry(raw); err == nil {
			r.old = append(r.old, recalled{entry: e, index: i})
		}
	}
}

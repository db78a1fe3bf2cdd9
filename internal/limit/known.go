package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// known is what this worker knows of the bucket's records. It changes one record at a time, so
// that only other workers come in between.
type known struct {
	bucket *bucket

	mu      sync.Mutex
	entries map[string]*entry
	prune   int // number of entries at which to clean
}

type entry struct {
	turn  chan struct{} // a gate for one writer
	users int           // waiting for it, under known.mu

	// Written under known.mu by the holder of turn.
	rec record
	rev uint64
}

func newKnown(b *bucket) *known {
	return &known{bucket: b, entries: make(map[string]*entry), prune: leastPrune}
}

// maxTries bounds the tries of a change while other workers are quicker.
const maxTries = 64

// change writes what edit makes of a record, unless edit returns false. It may call edit again with newer records.
func (k *known) change(ctx context.Context, key string, edit func(r *record, now time.Time) (write bool)) error {
	if err := k.bucket.open(ctx); err != nil {
		return err
	}
	e, err := k.enter(ctx, key)
	if err != nil {
		return err
	}
	defer k.leave(e)
	for try := range maxTries {
		rec, now := e.rec, k.bucket.now()
		if !edit(&rec, now) {
			return nil
		}
		rev, err := k.bucket.put(ctx, key, rec, now, e.rev)
		if err == nil {
			k.set(e, rec, rev)
			return nil
		}
		if !errors.Is(err, errConflict) {
			return err
		}
		if try > 0 { // several workers race for this record
			if err := pause(ctx, rand.N(time.Duration(try)*time.Millisecond)); err != nil { //nolint:gosec // spreads load, guards nothing
				return err
			}
		}
		if err := k.read(ctx, key, e); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: other workers were quicker %d times", errAway, maxTries)
}

func (k *known) read(ctx context.Context, key string, e *entry) error {
	rec, rev, err := k.bucket.get(ctx, key)
	if err == nil {
		k.set(e, rec, rev)
	}
	return err
}

func (k *known) enter(ctx context.Context, key string) (*entry, error) {
	k.mu.Lock()
	k.clean()
	e := k.entries[key]
	if e == nil {
		e = &entry{turn: make(chan struct{}, 1)}
		k.entries[key] = e
	}
	e.users++
	k.mu.Unlock()
	if err := k.bucket.enter(ctx, e.turn); err != nil {
		k.release(e)
		return nil, err
	}
	return e, nil
}

func (k *known) leave(e *entry) {
	<-e.turn
	k.release(e)
}

func (k *known) release(e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e.users--
}

func (k *known) set(e *entry, rec record, rev uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e.rec, e.rev = rec, rev
}

// clean drops entries without meaning. It needs k.mu.
func (k *known) clean() {
	if len(k.entries) < k.prune {
		return
	}
	now := k.bucket.now()
	for key, e := range k.entries {
		if e.users == 0 && e.rec.past().Before(now) {
			delete(k.entries, key)
		}
	}
	k.prune = max(leastPrune, 2*len(k.entries))
}

// senders is how many workers sent for a bot of late, as far as is known; 1 or more.
func (k *known) senders(key string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entries[key]; e != nil {
		return max(len(e.rec.Senders), 1)
	}
	return 1
}

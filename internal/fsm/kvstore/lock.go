package kvstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

type locked struct {
	s     *Store
	key   string
	token string
	ttl   time.Duration // of the record
	rev   uint64        // of our last write
	rec   record        // as we wrote it, or mean to
}

// lock waits for a record until ctx ends: ErrBusy. Between two reads it calls meanwhile. It takes
// over when the revision has stayed the same for a whole lock TTL.
func (s *Store) lock(ctx context.Context, key, token string, ttl time.Duration, meanwhile func(context.Context) error) (*locked, error) {
	var seenRev uint64
	var since time.Time
	pause := s.cfg.PollMin
	for {
		l, holder, err := s.read(ctx, key, token, ttl)
		if err != nil {
			return nil, orBusy(ctx, err, !since.IsZero())
		}
		if seenRev != l.rev || since.IsZero() {
			if since.IsZero() && holder != "" {
				s.metrics.Conflict()
			}
			seenRev, since = l.rev, time.Now()
		}
		left := s.cfg.LockTTL - time.Since(since)
		if holder == "" || left <= 0 {
			err := l.acquire(ctx)
			if !errors.Is(err, errConflict) {
				return l, err
			}
			continue // another session wrote first
		}
		if err := meanwhile(ctx); err != nil {
			return nil, err
		}
		if err := fsm.Sleep(ctx, min(left, pause/2+rand.N(pause/2+1))); err != nil { //nolint:gosec // spreading load needs no secret
			return nil, fmt.Errorf("%w: %w", fsm.ErrBusy, err)
		}
		pause = min(2*pause, s.cfg.PollMax)
	}
}

// orBusy tells a wait that ended from a store that fails.
func orBusy(ctx context.Context, err error, waited bool) error {
	if waited && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", fsm.ErrBusy, context.Cause(ctx))
	}
	return err
}

// read also returns the holder's token; empty if the record is free.
func (s *Store) read(ctx context.Context, key, token string, ttl time.Duration) (l *locked, holder string, err error) {
	raw, rev, err := s.bucket.get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	rec, err := decode(raw)
	if err != nil {
		return nil, "", err
	}
	holder = rec.Holder
	if holder == token {
		holder = "" // our own acquire, whose answer was lost
	}
	return &locked{s: s, key: key, token: token, ttl: ttl, rev: rev, rec: rec}, holder, nil
}

func (l *locked) acquire(ctx context.Context) error {
	rec := l.rec
	rec.Holder = l.token
	rev, err := l.s.bucket.put(ctx, l.key, rec.encode(), l.ttl, expect{l.key, l.rev})
	if err == nil {
		l.rev, l.rec = rev, rec
	}
	return err
}

// maxTries bounds how often one write is tried while the record is still ours.
const maxTries = 64

// guarded runs a write that expects our last revision. If the revision is another but the record
// still ours, an answer was lost, and guarded repeats the write.
func (l *locked) guarded(ctx context.Context, write func(e expect) error) error {
	for range maxTries {
		err := write(expect{l.key, l.rev})
		if !errors.Is(err, errConflict) {
			return err
		}
		if err := l.recover(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the broker keeps refusing the last revision", fsm.ErrUnavailable)
}

// recover returns nil if the record is still ours, with the revision brought up to date.
func (l *locked) recover(ctx context.Context) error {
	raw, rev, err := l.s.bucket.get(ctx, l.key)
	if err != nil {
		return err
	}
	now, err := decode(raw)
	switch {
	case err != nil:
		return err
	case now.Holder != l.token:
		return &lostLock{now}
	case now.Stream != l.rec.Stream:
		return fsm.ErrStreamChanged
	case now.Cursor != l.rec.Cursor:
		return fsm.ErrCursorMoved
	case rev == l.rev:
		// The broker is still busy with an earlier write to this key.
		if err := fsm.Sleep(ctx, l.s.cfg.PollMin); err != nil {
			return fmt.Errorf("%w: %w", fsm.ErrUnavailable, err)
		}
	}
	l.rev = rev
	return nil
}

// put keeps the new record even if the answer is lost: the next write must not undo it.
func (l *locked) put(ctx context.Context, rec record) error {
	before := l.rec
	l.rec = rec
	err := l.guarded(ctx, func(e expect) error {
		rev, err := l.s.bucket.put(ctx, l.key, rec.encode(), l.ttl, e)
		if err == nil {
			l.rev = rev
		}
		return err
	})
	if errors.Is(err, fsm.ErrTooLarge) {
		l.rec = before
	}
	return err
}

// release writes rec, which has no holder. If another process wrote without the lock, it removes only the holder.
func (l *locked) release(ctx context.Context, rec record) error {
	for range maxTries {
		rev, err := l.s.bucket.put(ctx, l.key, rec.encode(), l.ttl, expect{l.key, l.rev})
		if err == nil {
			l.rev, l.rec = rev, rec
		}
		if !errors.Is(err, errConflict) {
			return err
		}
		now, _, err := l.s.read(ctx, l.key, "", l.ttl)
		if err != nil {
			return err
		}
		if now.rec.Holder != l.token {
			return fsm.ErrLockLost
		}
		l.rev, rec = now.rev, now.rec
		rec.Holder = ""
	}
	return fmt.Errorf("%w: the broker keeps refusing the last revision", fsm.ErrUnavailable)
}

// lostLock is ErrLockLost with the present record, by which ownCommit recognises our own commit.
type lostLock struct{ now record }

func (*lostLock) Error() string { return fsm.ErrLockLost.Error() }
func (*lostLock) Unwrap() error { return fsm.ErrLockLost }

package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bucket is in the broker's memory: if it is forgotten, each chat and bot gets one burst more.
type bucket struct {
	js  jetstream.JetStream
	cfg Config

	opening chan struct{} // a gate for one opener

	mu     sync.Mutex
	stream jetstream.Stream // nil before open, and after a failure
	clock  clock
	failed time.Time // last failed request
}

func newBucket(js jetstream.JetStream, cfg Config) *bucket {
	return &bucket{js: js, cfg: cfg, opening: make(chan struct{}, 1)}
}

// clock is the broker's last time, carried on by this process's monotonic clock.
type clock struct{ told, at time.Time }

func (c clock) now() time.Time { return c.told.Add(time.Since(c.at)) }

// clockAge is when the broker's time is asked again.
const clockAge = 30 * time.Second

// maxBytes bounds the bucket, at some 100,000 chats; the oldest records go first.
const maxBytes = 32 << 20

// keep is how long a record outlives its meaning: the next message of its chat then needs one round trip, not three.
const keep = time.Minute

// errConflict means that another worker wrote the record.
var errConflict = errors.New("revision is not the last")

func (b *bucket) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock.now()
}

// open also learns the broker's time.
func (b *bucket) open(ctx context.Context) error {
	stream, fresh := b.handle()
	if fresh {
		return nil
	}
	if err := b.enter(ctx, b.opening); err != nil {
		return err
	}
	defer func() { <-b.opening }()
	if stream, fresh = b.handle(); fresh {
		return nil // somebody else opened it meanwhile
	}
	asked := time.Now()
	err := b.request(ctx, func(ctx context.Context) (err error) {
		if stream == nil {
			stream, err = b.findOrMake(ctx)
		} else {
			_, err = stream.Info(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stream = stream
	b.clock = clock{told: stream.CachedInfo().TimeStamp, at: asked.Add(now.Sub(asked) / 2)}
	return nil
}

// handle is the open stream, if any; fresh says that its clock is young enough.
func (b *bucket) handle() (_ jetstream.Stream, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stream, b.stream != nil && time.Since(b.clock.at) < clockAge
}

// enter fails with errAway if a request failed meanwhile: else all waiting calls would time out one after the other.
func (b *bucket) enter(ctx context.Context, gate chan struct{}) error {
	began := time.Now()
	select {
	case gate <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed.After(began) {
		<-gate
		return errAway
	}
	return nil
}

func (b *bucket) findOrMake(ctx context.Context) (jetstream.Stream, error) {
	name := "KV_" + b.cfg.Bucket
	s, err := b.js.Stream(ctx, name)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return s, err
	}
	s, err = b.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{"$KV." + b.cfg.Bucket + ".>"},
		Description:       "Chatlane: limits of sending",
		MaxMsgsPerSubject: 1, MaxBytes: maxBytes, Discard: jetstream.DiscardOld,
		Replicas: b.cfg.Replicas, Storage: jetstream.MemoryStorage,
		AllowRollup: true, DenyDelete: true, AllowDirect: b.cfg.Replicas == 1, AllowMsgTTL: true,
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return b.js.Stream(ctx, name) // another worker made it
	}
	return s, err
}

// get reads a record; a missing one has revision 0.
func (b *bucket) get(ctx context.Context, key string) (rec record, rev uint64, err error) {
	stream, _ := b.handle()
	if stream == nil {
		return rec, 0, errAway
	}
	err = b.request(ctx, func(ctx context.Context) error {
		m, err := stream.GetLastMsgForSubject(ctx, b.subject(key))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err == nil {
			rec, rev = decode(m.Data), m.Sequence
		}
		return err
	})
	return rec, rev, err
}

// put writes a record if its last revision is rev, else it fails with errConflict.
func (b *bucket) put(ctx context.Context, key string, rec record, now time.Time, rev uint64) (next uint64, err error) {
	err = b.request(ctx, func(ctx context.Context) error {
		ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject(key), Data: rec.encode()},
			jetstream.WithExpectLastSequencePerSubject(rev), jetstream.WithMsgTTL(max(rec.past().Sub(now), 0)+keep))
		if err == nil {
			next = ack.Sequence
		}
		return err
	})
	return next, err
}

func (b *bucket) subject(key string) string { return "$KV." + b.cfg.Bucket + "." + key }

// request bounds one request. After a failure the bucket is opened anew: it may be gone.
func (b *bucket) request(ctx context.Context, do func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	err := do(within)
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return errConflict
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stream, b.failed = nil, time.Now()
	return fmt.Errorf("%w: %w", errAway, err)
}

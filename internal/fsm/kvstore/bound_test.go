package kvstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fsm"
)

// A full bucket refuses writes as broken infrastructure, so that turns wait; it keeps every
// state, takes deletions, and goes on when its bound is raised.
func TestFullBucketRefusesAndKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	nc, err := nats.Connect("", natstest.Start(t).Option())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	open := func(limit int64) *bucket {
		t.Helper()
		b, err := openBucket(t.Context(), js, Config{Bucket: "bounded", Replicas: 1, MaxBytes: limit, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	open(0)            // as it was made before there was a bound
	b := open(1 << 20) // which it gets in place
	revs := make(map[string]uint64)
	for i := range 40 {
		key := fmt.Sprintf("k%02d", i)
		rev, err := b.put(t.Context(), key, make([]byte, 64<<10), 0, expect{})
		switch {
		case err == nil:
			revs[key] = rev
		case !errors.Is(err, fsm.ErrUnavailable):
			t.Fatal(err)
		}
	}
	if len(revs) < 10 || len(revs) > 16 {
		t.Errorf("%d values of 64 KiB fit under 1 MiB", len(revs))
	}
	for key, rev := range revs {
		if value, have, err := b.get(t.Context(), key); err != nil || have != rev || len(value) != 64<<10 {
			t.Errorf("%s: revision %d, %d bytes, %v; want revision %d", key, have, len(value), err, rev)
		}
	}
	if err := b.remove(t.Context(), "k00", expect{"k00", revs["k00"]}); err != nil {
		t.Errorf("a full bucket takes no deletion: %v", err)
	}
	if _, err := open(8<<20).put(t.Context(), "more", make([]byte, 64<<10), 0, expect{}); err != nil {
		t.Errorf("after the bound was raised: %v", err)
	}
}

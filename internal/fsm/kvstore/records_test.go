package kvstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
)

func keys() fsm.Keys {
	return fsm.Keys{Lane: "42:c:-1", Home: "42:c:-1", State: "42:c:-1:u:7", StateHome: "42:c:-1"}
}

func at(seq uint64) fsm.Position {
	return fsm.Position{Stream: 1_700_000_000_123_456_789, Seq: seq, Update: int64(seq), Stored: time.Date(2026, 5, 4, 3, 2, int(seq), 0, time.UTC)}
}

// begin starts a broker and connects to it.
func begin(t *testing.T) jetstream.JetStream {
	t.Helper()
	b := &broker{dir: t.TempDir(), port: -1}
	b.start(t)
	t.Cleanup(b.stop)
	return connect(t, b.addr)
}

func store(t *testing.T, js jetstream.JetStream, cfg kvstore.Config) *kvstore.Store {
	t.Helper()
	s, err := kvstore.Open(t.Context(), js, cfg)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	return s
}

func commit(t *testing.T, s fsm.Store, seq uint64, set func(*fsm.Session)) error {
	t.Helper()
	session, err := s.Open(t.Context(), keys(), at(seq))
	if err != nil {
		t.Fatalf("open at %d: %v", seq, err)
	}
	defer func() {
		if err := session.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	set(session)
	return session.Commit(t.Context())
}

func TestRecordsExpire(t *testing.T) {
	js := begin(t)
	life := func(key string) string {
		stream, err := js.Stream(t.Context(), "KV_chatlane_state")
		if err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetLastMsgForSubject(t.Context(), "$KV.chatlane_state."+key)
		if err != nil {
			t.Fatalf("get %s: %v", key, err)
		}
		return m.Header.Get("Nats-TTL")
	}
	mortal := store(t, js, kvstore.Config{StateTTL: time.Hour})
	if err := commit(t, mortal, 1, func(s *fsm.Session) { s.SetState("a") }); err != nil {
		t.Fatal(err)
	}
	if l, s := life(kvstore.LaneKey(keys())), life(kvstore.StateKey(keys())); l != "168h0m0s" || s != "1h0m0s" {
		t.Errorf("lane lives %s, state %s", l, s)
	}
	before, err := js.Stream(t.Context(), "KV_chatlane_state")
	if err != nil {
		t.Fatal(err)
	}
	rev := func() uint64 {
		m, err := before.GetLastMsgForSubject(t.Context(), "$KV.chatlane_state."+kvstore.StateKey(keys()))
		if err != nil {
			t.Fatal(err)
		}
		return m.Sequence
	}
	old := rev()
	if err := commit(t, mortal, 2, func(*fsm.Session) {}); err != nil || rev() == old {
		t.Errorf("a turn that changed nothing did not begin the TTL anew: %v", err)
	}
	if err := commit(t, store(t, js, kvstore.Config{}), 3, func(s *fsm.Session) { s.SetState("b") }); err != nil || life(kvstore.StateKey(keys())) != "" {
		t.Errorf("without a TTL, state lives %q, %v", life(kvstore.StateKey(keys())), err)
	}
}

func TestTooLargeStateIsTheTurnsFault(t *testing.T) {
	s := store(t, begin(t), kvstore.Config{})
	for _, k := range []fsm.Keys{keys(), {Lane: "42:c:-2", Home: "42:c:-2", State: "42:u:7", StateHome: "42:u:7", Shared: true}} {
		session, err := s.Open(t.Context(), k, at(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Record(t.Context(), 0, make([]byte, 1<<20)); !errors.Is(err, fsm.ErrTooLarge) || errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("record 1 MiB: %v", err)
		}
		session.SetData(make([]byte, 1<<20))
		if err := session.Commit(t.Context()); !errors.Is(err, fsm.ErrTooLarge) {
			t.Errorf("commit 1 MiB: %v", err)
		}
		session.SetData(make([]byte, 512<<10))
		if err := session.Commit(t.Context()); err != nil {
			t.Errorf("commit 512 KiB after that: %v", err)
		}
	}
}

func TestRecordOfANewerSchemaIsLeftAlone(t *testing.T) {
	js := begin(t)
	s := store(t, js, kvstore.Config{})
	kv, err := js.KeyValue(t.Context(), "chatlane_state")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{kvstore.LaneKey(keys()), kvstore.StateKey(keys())} {
		if _, err := kv.PutString(t.Context(), key, `{"v":2,"holder":{"by":"something new"}}`); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(t.Context(), keys(), at(1)); !errors.Is(err, fsm.ErrUnavailable) || !errors.Is(err, fsm.ErrUnreadable) {
			t.Errorf("open %s of version 2: %v", key, err)
		}
		if err := kv.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := commit(t, s, 1, func(*fsm.Session) {}); err != nil {
		t.Errorf("after the records were deleted: %v", err)
	}
}

func TestBucketOfAnotherMakeIsRefused(t *testing.T) {
	js := begin(t)
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "theirs", History: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := kvstore.Open(t.Context(), js, kvstore.Config{Bucket: "theirs"}); err == nil || !strings.Contains(err.Error(), "theirs") {
		t.Errorf("open: %v", err)
	}
	if _, err := kvstore.Open(t.Context(), js, kvstore.Config{Bucket: "no such.name"}); err == nil {
		t.Error("a bucket's name with a dot was taken")
	}
}

func TestNoTwoKeysBecomeOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(rapid.StringMatching(`[a:.={}é-]{0,6}`), rapid.String())
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		ea, eb := kvstore.EncodeKey(a), kvstore.EncodeKey(b)
		if (a == b) != (ea == eb) {
			t.Fatalf("%q -> %q, %q -> %q", a, ea, b, eb)
		}
		if ea == "" || strings.HasPrefix(ea, ".") || strings.HasSuffix(ea, ".") || strings.Contains(ea, "..") ||
			strings.Trim(ea, "-_=.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Fatalf("%q -> %q is no key of a bucket", a, ea)
		}
	})
}

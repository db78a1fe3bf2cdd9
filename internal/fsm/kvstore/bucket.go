package kvstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/fsm"
)

// bucket uses the key-value bucket's stream directly: a write may depend on the revision of another key.
type bucket struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	prefix  string        // of every key's subject
	timeout time.Duration // of a request
}

var errConflict = errors.New("revision is not the last")

const maxValue = 768 << 10 // bytes: with base64 below the broker's 1 MiB

func openBucket(ctx context.Context, js jetstream.JetStream, cfg Config) (*bucket, error) {
	name := "KV_" + cfg.Bucket
	stream, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, streamConfig(cfg))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = js.Stream(ctx, name) // another process created it meanwhile
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w: %w", cfg.Bucket, fsm.ErrUnavailable, err)
	}
	switch have := stream.CachedInfo().Config; {
	case have.MaxMsgsPerSubject != 1 || !have.AllowMsgTTL:
		return nil, fmt.Errorf("bucket %s was not made for this: want history 1 and TTLs of messages (server 2.11 or later)", cfg.Bucket)
	case have.Replicas > 1 && have.AllowDirect:
		have.AllowDirect = false // it was made with one replica
		if stream, err = js.UpdateStream(ctx, have); err != nil {
			return nil, fmt.Errorf("forbid direct reads of bucket %s: %w: %w", cfg.Bucket, fsm.ErrUnavailable, err)
		}
	}
	// Raise the bound, or set a first one if the bucket is well below it: else the broker would drop states.
	info := stream.CachedInfo()
	fits := info.Config.MaxBytes > 0 || int64(info.State.Bytes) < cfg.MaxBytes-cfg.MaxBytes/8
	if cfg.MaxBytes > 0 && info.Config.MaxBytes < cfg.MaxBytes && fits {
		have := info.Config
		have.MaxBytes = cfg.MaxBytes
		if stream, err = js.UpdateStream(ctx, have); err != nil {
			return nil, fmt.Errorf("bound bucket %s: %w: %w", cfg.Bucket, fsm.ErrUnavailable, err)
		}
	}
	return &bucket{js: js, stream: stream, prefix: "$KV." + cfg.Bucket + ".", timeout: cfg.Timeout}, nil
}

// streamConfig is the stream of jetstream.CreateKeyValue, with this store's reads and TTLs.
func streamConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + cfg.Bucket, Subjects: []string{"$KV." + cfg.Bucket + ".>"},
		Description:       "Chatlane: state of conversations, cursors and journals of lanes",
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: cmp.Or(cfg.MaxBytes, -1), MaxMsgSize: -1, MaxConsumers: -1,
		Replicas: cfg.Replicas, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		AllowRollup: true, DenyDelete: true, AllowDirect: cfg.Replicas == 1, AllowMsgTTL: true,
	}
}

// get gives a missing key revision 0, and a deleted one that of its deletion marker.
func (b *bucket) get(ctx context.Context, key string) (value []byte, rev uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	m, err := b.stream.GetLastMsgForSubject(ctx, b.prefix+key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("read: %w: %w", fsm.ErrUnavailable, err)
	case m.Header.Get("KV-Operation") != "":
		return nil, m.Sequence, nil
	}
	return m.Data, m.Sequence, nil
}

// expect is a condition of a write: the last revision of a key.
type expect struct {
	key string
	rev uint64
}

// put writes a value if e holds, else it fails with errConflict. A ttl of 0 means no TTL.
func (b *bucket) put(ctx context.Context, key string, value []byte, ttl time.Duration, e expect) (rev uint64, err error) {
	if len(value) > maxValue {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", fsm.ErrTooLarge, len(value), maxValue)
	}
	return b.publish(ctx, &nats.Msg{Subject: b.prefix + key, Data: value}, ttl, e)
}

// remove deletes a key if e holds. The deletion marker expires after a minute.
func (b *bucket) remove(ctx context.Context, key string, e expect) error {
	m := nats.NewMsg(b.prefix + key)
	m.Header.Set("KV-Operation", "DEL")
	_, err := b.publish(ctx, m, time.Minute, e)
	return err
}

func (b *bucket) publish(ctx context.Context, m *nats.Msg, ttl time.Duration, e expect) (rev uint64, err error) {
	opts := make([]jetstream.PublishOpt, 0, 2)
	if e.key == "" || b.prefix+e.key == m.Subject {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(e.rev))
	} else {
		opts = append(opts, jetstream.WithExpectLastSequenceForSubject(e.rev, b.prefix+e.key))
	}
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(ttl))
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, m, opts...)
	var api *jetstream.APIError
	switch {
	case err == nil:
		return ack.Sequence, nil
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return 0, errConflict
	case errors.Is(err, nats.ErrMaxPayload):
		return 0, fmt.Errorf("%w: %w", fsm.ErrTooLarge, err)
	}
	return 0, fmt.Errorf("write: %w: %w", fsm.ErrUnavailable, err)
}

func (b *bucket) purge(ctx context.Context, under string) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.prefix+under+".>"))
}

// encodeKey keeps different keys different: ':' becomes '.', and a character that is not allowed "=XX".
func encodeKey(key string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(key)+8)
	empty := true // the token so far; an empty one is written "="
	for i := range len(key) {
		c := key[i]
		switch {
		case c == ':':
			if empty {
				b = append(b, '=')
			}
			b = append(b, '.')
			empty = true
			continue
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
			b = append(b, c)
		default:
			b = append(b, '=', hex[c>>4], hex[c&15])
		}
		empty = false
	}
	if empty {
		b = append(b, '=')
	}
	return string(b)
}

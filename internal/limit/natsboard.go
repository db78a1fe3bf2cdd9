package limit

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsBoard keeps events in the bucket, one for each thing that is blocked, as long as they matter.
type natsBoard struct {
	bucket *bucket
	made   time.Time // when the bucket was made whose events are read
	last   uint64    // sequence of the event read last
}

func (b *natsBoard) post(ctx context.Context, e event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := b.bucket.open(ctx); err != nil {
		return err
	}
	key := "block." + strconv.FormatInt(e.Bot, 10) + "." + strconv.FormatInt(e.Chat, 10) + "." + e.Kind
	return b.bucket.request(ctx, func(ctx context.Context) error {
		_, err := b.bucket.js.PublishMsg(ctx, &nats.Msg{Subject: b.bucket.subject(key), Data: raw},
			jetstream.WithMsgTTL(max(time.Duration(e.For)*time.Millisecond, time.Second)+time.Second))
		return err
	})
}

func (b *natsBoard) read(ctx context.Context) (all []event, more bool, err error) {
	if err := b.bucket.open(ctx); err != nil {
		return nil, false, err
	}
	stream, _ := b.bucket.handle()
	if stream == nil {
		return nil, false, errAway
	}
	if made := stream.CachedInfo().Created; !made.Equal(b.made) {
		b.made, b.last = made, 0
	}
	for range page {
		m, err := b.next(ctx, stream)
		if err != nil || m == nil {
			return all, false, err
		}
		b.last = m.Sequence
		var e event
		if json.Unmarshal(m.Data, &e) != nil {
			continue // of another version
		}
		e.at = time.Now().Add(m.Time.Sub(b.bucket.now()))
		all = append(all, e)
	}
	return all, true, nil
}

// next is the first event after the last one, or nil.
func (b *natsBoard) next(ctx context.Context, stream jetstream.Stream) (m *jetstream.RawStreamMsg, err error) {
	err = b.bucket.request(ctx, func(ctx context.Context) (err error) {
		m, err = stream.GetMsg(ctx, b.last+1, jetstream.WithGetMsgSubject(b.bucket.subject("block.>")))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			m, err = nil, nil
		}
		return err
	})
	return m, err
}

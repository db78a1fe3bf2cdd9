package turn_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/turn"
)

// instant answers at once, so that the rest of a turn shows.
type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"ok":true,"result":{"message_id":4711,"date":1700000000,"chat":{"id":42,"type":"private"},"text":"1. hi"}}`)),
	}, nil
}

// counter is a bot like the bundled tally: it changes its data, and makes one call.
func counter() *bot.Router {
	r := bot.New("counter")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		n, err := bot.UpdateData(t, func(n *int) { *n++ })
		if err != nil {
			return err
		}
		return t.Answer(ctx, fmt.Sprintf("%d. %s", n, t.Text()))
	})
	return r
}

// BenchmarkTurn is one whole turn: lock, load, dispatch, a journaled call, commit. In memory it has no store's cost.
func BenchmarkTurn(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		benchTurns(b, memstore.New(memstore.Config{}), func() uint64 { return 0 })
	})
	b.Run("redis", func(b *testing.B) {
		client, err := redisstore.Dial(redistest.Start(b).URL)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		benchTurns(b, redisstore.New(client, redisstore.Config{}), redistest.Trips(client))
	})
	b.Run("nats", func(b *testing.B) {
		nc, err := nats.Connect("", natstest.Start(b).Option())
		if err != nil {
			b.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			b.Fatal(err)
		}
		store, err := kvstore.Open(b.Context(), js, kvstore.Config{})
		if err != nil {
			b.Fatal(err)
		}
		benchTurns(b, store, func() uint64 { return nc.Stats().OutMsgs }) // each is a request
	})
}

func benchTurns(b *testing.B, store fsm.Store, trips func() uint64) {
	b.Helper()
	id, err := api.ParseToken(token)
	if err != nil {
		b.Fatal(err)
	}
	client := api.NewClient(api.Config{Transport: instant{}}, nil, nil)
	r := turn.New(turn.Config{}, turn.Deps{
		Program: compiled(b, counter()), Store: store, Client: client, Dead: &letterCount{}, Bots: map[int64]turn.Identity{botID: {Token: id}},
	}, slog.New(slog.DiscardHandler), nil)
	var seq atomic.Int64
	one := func(chat int64) {
		if next := r.Start(text(chat, seq.Add(1)))(b.Context()); next != (queue.Next{}) {
			b.Errorf("the turn did not end: %+v", next)
		}
	}
	b.Run("one_lane", func(b *testing.B) {
		b.ReportAllocs()
		one(1) // loads the scripts
		before := trips()
		for b.Loop() {
			one(1)
		}
		b.ReportMetric(float64(trips()-before)/float64(b.N), "roundtrips/op")
	})
	b.Run("many_lanes", func(b *testing.B) {
		var chats atomic.Int64
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			chat := 100 + chats.Add(1)
			for pb.Next() {
				one(chat)
			}
		})
	})
}

func text(chat, seq int64) *queue.Delivery {
	d := &queue.Delivery{Seq: uint64(seq), Stream: 1, Stored: time.Now()}
	d.Update = queue.Update{
		ID: seq, Type: "message", Received: d.Stored,
		Scope: lane.Scope{Bot: botID, Kind: lane.KindChat, Chat: chat, User: chat},
		Lane:  lane.Key(fmt.Sprintf("%d:c:%d", botID, chat)),
		Body: fmt.Appendf(nil, `{"update_id":%d,"message":{"message_id":%d,"date":1,"text":"hi","chat":{"id":%d,"type":"private"},"from":{"id":%d,"is_bot":false,"first_name":"A"}}}`,
			seq, seq, chat, chat),
	}
	return d
}

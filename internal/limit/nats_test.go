package limit_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/limit"
)

// broker is a real server in this process.
type broker struct{ *embedded.Server }

func startNATS(tb testing.TB) broker {
	tb.Helper()
	return broker{natstest.Start(tb)}
}

func (b broker) connect(tb testing.TB, opts ...nats.Option) jetstream.JetStream {
	tb.Helper()
	nc, err := nats.Connect("", append([]nats.Option{b.Option(), nats.MaxReconnects(-1)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// closedNATS is a connection that is closed.
func closedNATS(tb testing.TB) jetstream.JetStream {
	tb.Helper()
	js := startNATS(tb).connect(tb)
	js.Conn().Close()
	return js
}

// warnings keeps what a limiter logs.
type warnings struct {
	slog.Handler

	mu  sync.Mutex
	all []string
}

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, r.Level.String()+" "+r.Message)
	return nil
}

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }

func (w *warnings) take() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, w.all = w.all, nil
	return all
}

// bubble runs a test in virtual time with a worker whose way to the broker can be held.
func bubble(t *testing.T, test func(t *testing.T, b broker, wire *natstest.Wire, js jetstream.JetStream)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		b, wire := broker{s}, natstest.NewWire(s)
		js := b.connect(t, wire.Option())
		defer js.Conn().Close()
		test(t, b, wire, js)
		wire.Thaw()
	})
}

func TestAWorkerKeepsItsShareWhileTheBrokerIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, b broker, wire *natstest.Wire, js jetstream.JetStream) {
		said := &warnings{}
		cfg := limit.Config{BotPerSecond: 20, BotBurst: 4, Logger: slog.New(said)}
		l := limit.NewNATS(js, cfg)
		other := b.connect(t)
		defer other.Conn().Close()
		send(t, limit.NewNATS(other, cfg), 6, 1)
		send(t, l, 5, 1)
		if all := said.take(); len(all) != 0 {
			t.Errorf("logged %q", all)
		}
		wire.Hold()
		// Half of 20 a second, and half of the burst; the first message finds out that nothing answers.
		if got, want := send(t, l, 7, 5), seconds(0.5, 0.5, 0.6, 0.7, 0.8); !slices.Equal(got, want) {
			t.Errorf("went after %v, want %v", got, want)
		}
		if all := said.take(); len(all) != 1 || !strings.HasPrefix(all[0], "WARN limits of sending are not shared") {
			t.Errorf("logged %q", all)
		}
		wire.Thaw()
		time.Sleep(time.Second)
		send(t, l, 7, 1)
		if all := said.take(); len(all) != 1 || all[0] != "INFO limits of sending are shared again" {
			t.Errorf("logged %q", all)
		}
	})
}

func TestABrokerThatIsSilentHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T, _ broker, wire *natstest.Wire, js jetstream.JetStream) {
		l := limit.NewNATS(js, limit.Config{BotPerSecond: 1000})
		for _, known := range []bool{false, true} {
			if known {
				wire.Thaw()
				time.Sleep(time.Minute) // and the broker's time has to be asked for again
				send(t, l, 5, 1)
			}
			wire.Hold()
			began := time.Now()
			var all sync.WaitGroup
			for chat := range int64(200) {
				all.Go(func() {
					if err := l.Wait(t.Context(), 42, chat+1, limit.Message); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if took := time.Since(began); took > time.Second {
				t.Errorf("200 messages took %v", took)
			}
		}
	})
}

func TestABlockHoldsThroughAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, _ broker, wire *natstest.Wire, js jetstream.JetStream) {
		l := limit.NewNATS(js, limit.Config{})
		_ = l.Block(t.Context(), 42, 5, limit.Message, 3*time.Second)
		wire.Hold()
		if got := send(t, l, 5, 1); got[0] != 3*time.Second {
			t.Errorf("the chat went after %v, want 3s", got)
		}
		began := time.Now()
		_ = l.Block(t.Context(), 42, 5, limit.Message, 2*time.Second)
		send(t, l, 5, 1)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the chat went after %v, want 2s", took)
		}
	})
}

func TestABucketThatIsGoneIsMadeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, _ broker, _ *natstest.Wire, js jetstream.JetStream) {
		l := limit.NewNATS(js, limit.Config{ChatPerSecond: 1})
		send(t, l, 5, 1)
		if err := js.DeleteStream(t.Context(), "KV_chatlane_limits"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			send(t, l, 5, 1)
			time.Sleep(time.Second)
		}
		s, err := js.Stream(t.Context(), "KV_chatlane_limits")
		if err != nil || s.CachedInfo().State.Msgs == 0 {
			t.Errorf("no record was written: %v", err)
		}
	})
}

// A bucket that was made again counts its messages from 1.
func TestBlocksInABucketThatIsMadeAgainAreLearnt(t *testing.T) {
	bubble(t, func(t *testing.T, _ broker, _ *natstest.Wire, js jetstream.JetStream) {
		a, b := limit.NewNATS(js, limit.Config{}), limit.NewNATS(js, limit.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { b.Run(ctx) })
		for chat := range int64(5) {
			_ = a.Block(t.Context(), 100+chat, 5, limit.Message, time.Hour)
		}
		time.Sleep(time.Second)
		if err := js.DeleteStream(t.Context(), "KV_chatlane_limits"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		_ = a.Block(t.Context(), 42, 7, limit.Message, time.Hour)
		time.Sleep(time.Second)
		if err := b.Wait(t.Context(), 42, 7, limit.Message); err == nil {
			t.Error("a block in the new bucket is not known")
		}
		cancel()
		running.Wait()
	})
}

func TestRecordsPass(t *testing.T) {
	bubble(t, func(t *testing.T, _ broker, _ *natstest.Wire, js jetstream.JetStream) {
		l := limit.NewNATS(js, documented())
		for chat := range int64(3000) {
			send(t, l, -1-chat, 1)
			time.Sleep(time.Second)
		}
		_ = l.Block(t.Context(), 42, 5, limit.Message, 2*time.Minute)
		s, err := js.Stream(t.Context(), "KV_chatlane_limits")
		if err != nil {
			t.Fatal(err)
		}
		if n := s.CachedInfo().State.Msgs; n > 150 || n < 50 {
			t.Errorf("%d records of 3000 chats are kept, want those of a minute", n)
		}
		if n := l.Known(); n > 1100 {
			t.Errorf("%d records are known, want at most some 1000", n)
		}
		time.Sleep(4 * time.Minute)
		if info, err := s.Info(t.Context()); err != nil || info.State.Msgs != 0 {
			t.Errorf("%d records are kept for ever, %v", info.State.Msgs, err)
		}
	})
}

func BenchmarkNATSWait(b *testing.B) {
	l := limit.NewNATS(startNATS(b).connect(b), generous())
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Wait(b.Context(), 42, 5, limit.Message); err != nil {
			b.Fatal(err)
		}
	}
}

package timer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/timer"
)

func armed(token string, after time.Duration) timer.Timer {
	return timer.Timer{
		Conversation: "42:c:100:u:7", Token: token, After: after,
		Update: queue.Update{
			Type: "timeout", Lane: "42:c:100", Body: []byte(`{"token":"` + token + `"}`),
			Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100, User: 7},
		},
	}
}

// clockwork is a worker with its timers, and what fired.
type clockwork struct {
	t      *testing.T
	conn   *broker.Conn
	timers *timer.Scheduler
	reg    *prometheus.Registry
	stop   func()

	mu    sync.Mutex
	fired []firing
}

type firing struct {
	token  string
	at     time.Time
	update queue.Update
}

func wind(t *testing.T, s *embedded.Server) *clockwork {
	t.Helper()
	w := &clockwork{t: t, conn: connect(t, s), reg: prometheus.NewRegistry()}
	w.timers = timer.New(timer.Config{Partitions: 1}, w.conn, w.reg)
	lanes, err := w.conn.JetStream().CreateOrUpdateConsumer(t.Context(), broker.Names{}.Updates(), jetstream.ConsumerConfig{Durable: "lanes"})
	if err != nil {
		t.Fatal(err)
	}
	reading, err := lanes.Consume(w.note)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.timers.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-done; reading.Stop(); <-reading.Closed(); w.conn.Close(context.Background()) })
	return w
}

// wound runs a test in virtual time with one broker and one relay.
func wound(t *testing.T, test func(t *testing.T, w *clockwork)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		w := wind(t, s)
		defer w.stop()
		test(t, w)
	})
}

func connect(t *testing.T, s *embedded.Server) *broker.Conn {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	if err := c.Ensure(t.Context(), broker.Topology{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *clockwork) note(m jetstream.Msg) {
	u, err := queue.DecodeUpdate(m.Subject(), m.Headers(), m.Data())
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	token, _ := strings.CutPrefix(string(u.Body), `{"token":"`)
	w.fired = append(w.fired, firing{strings.TrimSuffix(token, `"}`), time.Now(), u})
	_ = m.Ack()
}

func (w *clockwork) firings(result string) (n int) {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "chatlane_timers_fired_total" && m.GetLabel()[0].GetValue() == result {
				n += int(m.GetCounter().GetValue())
			}
		}
	}
	return n
}

func (w *clockwork) arm(token string, after time.Duration) {
	w.t.Helper()
	if err := w.timers.Arm(w.t.Context(), armed(token, after)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *clockwork) cancel(token string) {
	w.t.Helper()
	if err := w.timers.Cancel(armed(token, 0)); err != nil {
		w.t.Fatal(err)
	}
}

// expect compares the tokens that have fired so far.
func (w *clockwork) expect(tokens ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := []string{}
	for _, f := range w.fired {
		got = append(got, f.token)
	}
	if diff := cmp.Diff(append([]string{}, tokens...), got); diff != "" {
		w.t.Errorf("fired (-want +got):\n%s", diff)
	}
}

func TestTimerFiresIntoItsLaneOnTheSecond(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		time.Sleep(5*time.Second + 300*time.Millisecond) // not on a whole second
		began := time.Now()
		w.arm("a.1", 90*time.Second)
		time.Sleep(10 * time.Minute)
		w.expect("a.1")
		f := w.fired[0]
		if took := f.at.Sub(began); took < 90*time.Second || took > 92*time.Second {
			t.Errorf("fired after %v, want 90 s, at most 2 s more", took)
		}
		want := armed("a.1", 0).Update
		want.Received = f.update.Received // when it fired
		if diff := cmp.Diff(want, f.update); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
		if age := f.at.Sub(f.update.Received); age < -time.Second || age > time.Second {
			t.Errorf("received %v before its turn: not when it fired", age)
		}
		if n := timer.StreamMessages(t.Context(), w.conn, broker.Names{}.Timers()); n != 0 {
			t.Errorf("%d messages are left of a timer that has fired", n)
		}
	})
}

func TestArmingTheSameAgainReplaces(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		w.arm("a", time.Minute)
		time.Sleep(50 * time.Second)
		w.arm("a", time.Minute) // the turn is tried again
		time.Sleep(50 * time.Second)
		w.expect()
		time.Sleep(15 * time.Second)
		w.expect("a")
		time.Sleep(time.Hour)
		w.expect("a")
	})
}

func TestTimerThatFiredCanBeArmedAgain(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		w.arm("a", time.Second)
		time.Sleep(10 * time.Second)
		w.arm("a", time.Second) // a dead letter that is replayed, within the duplicate window
		time.Sleep(10 * time.Second)
		w.expect("a", "a")
	})
}

func TestCancelledTimerDoesNotFire(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		w.arm("a", time.Minute)
		w.arm("b", time.Minute)
		w.cancel("a")
		w.cancel("never-armed")
		time.Sleep(time.Hour)
		w.expect("b")
	})
}

// A worker that lost its lane in mid-turn acts late. The timer of the turn that followed elsewhere stands.
func TestLateArmAndCancelTouchNoOtherTimer(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		w.arm("new", time.Minute)
		w.arm("old", time.Hour)
		w.cancel("older")
		time.Sleep(2 * time.Minute)
		w.expect("new")
		w.cancel("old")
		time.Sleep(2 * time.Hour)
		w.expect("new")
	})
}

func TestTimersOutliveTheBroker(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, _ *embedded.Server) {
		dir := t.TempDir()
		s := restart(t, dir)
		w := wind(t, s)
		w.arm("missed", time.Minute)
		w.arm("ahead", time.Hour)
		w.arm("cancelled", time.Hour)
		w.cancel("cancelled")
		w.stop()
		natstest.Stop(s)
		time.Sleep(30 * time.Minute) // everything is down
		s = restart(t, dir)
		defer natstest.Stop(s)
		w = wind(t, s)
		defer w.stop()
		time.Sleep(5 * time.Second)
		w.expect("missed") // late rather than never
		time.Sleep(time.Hour)
		w.expect("missed", "ahead")
	})
}

func restart(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Dir: dir, SyncEvery: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTimersFireOnceWhenTheRelayDiesBeforeItsAck(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(context.Background())
		dying := timer.New(timer.Config{Partitions: 1}, c, nil)
		if err := dying.Arm(t.Context(), armed("a", time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := timer.RelayWithoutAck(t.Context(), dying); err != nil {
			t.Fatal(err)
		}
		w := wind(t, s)
		defer w.stop()
		time.Sleep(time.Minute)
		w.expect("a")
		if n := w.firings("duplicate"); n != 1 {
			t.Errorf("%d repetitions were seen, want 1: the test tests nothing", n)
		}
	})
}

func TestTimersWaitWhileTheStreamIsFull(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		w.arm("a", time.Second)
		if err := timer.Limit(t.Context(), w.conn, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.expect()
		if n := w.firings("failed"); n < 10 {
			t.Errorf("tried %d times in a minute", n)
		}
		if err := timer.Limit(t.Context(), w.conn, 1<<30); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.expect("a")
	})
}

func TestTimeIsTheBrokersAndNotTheWorkers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(context.Background())
		timers := timer.New(timer.Config{Partitions: 1}, c, nil)
		clock := time.Now().Add(5 * time.Minute)
		timer.SetBrokerClock(timers, clock)
		if err := timers.Arm(t.Context(), armed("a", time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, want := timer.Schedule(t.Context(), c, armed("a", 0)), clock.Add(time.Hour); !got.Equal(want) {
			t.Errorf("armed for %v, want %v: an hour by the broker's clock", got, want)
		}
	})
}

func TestTimerIsNotArmedWhileTheBrokerIsAway(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, _ *embedded.Server) {
		s := restart(t, t.TempDir())
		c := connect(t, s)
		defer c.Close(context.Background())
		natstest.Stop(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := timer.New(timer.Config{Partitions: 1}, c, nil).Arm(ctx, armed("a", time.Second)); !errors.Is(err, timer.ErrNotArmed) {
			t.Errorf("armed without a broker: %v", err)
		}
	})
}

// The lane's owner may be of the newer version. A message that is no update is dropped.
func TestTimerOfANewerVersionIsRelayed(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(context.Background())
		for _, h := range []nats.Header{{"Chatlane-Envelope": {"2 of another form"}}, nil} {
			if _, err := c.JetStream().PublishMsg(t.Context(), &nats.Msg{Subject: "fired.0.42.c:100", Header: h, Data: []byte("?")}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); timer.New(timer.Config{Partitions: 1}, c, nil).Run(ctx) }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		if n := timer.StreamMessages(t.Context(), c, broker.Names{}.Timers()); n != 0 {
			t.Errorf("%d messages are left in TIMERS", n)
		}
		stream, err := c.Stream(t.Context(), broker.Names{}.Updates())
		if err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetMsg(t.Context(), 1)
		if err != nil || m.Subject != "updates.0.42.c:100" || m.Header.Get("Chatlane-Envelope") != "2 of another form" || string(m.Data) != "?" {
			t.Errorf("relayed %+v, %v; want the timer as it was armed", m, err)
		}
		if n := stream.CachedInfo().State.Msgs; n != 1 {
			t.Errorf("%d messages in UPDATES, want the timer alone", n)
		}
	})
}

// A full TIMERS refuses timers, and their turns are tried again.
func TestArmedTimersSurviveAFullStream(t *testing.T) {
	wound(t, func(t *testing.T, w *clockwork) {
		bounded := timer.New(timer.Config{Partitions: 1, MaxBytes: 4 << 10}, w.conn, nil)
		var stored []string
		for i := range 100 {
			token := fmt.Sprintf("t%02d", i)
			switch err := bounded.Arm(t.Context(), armed(token, time.Minute)); {
			case err == nil:
				stored = append(stored, token)
			case !errors.Is(err, timer.ErrFull) || !errors.Is(err, timer.ErrNotArmed):
				t.Fatal(err)
			}
		}
		if len(stored) < 5 || len(stored) > 50 {
			t.Errorf("%d timers fit into 4 KiB", len(stored))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		fired := make([]string, 0, len(stored))
		for _, f := range w.fired {
			fired = append(fired, f.token)
		}
		slices.Sort(fired)
		if diff := cmp.Diff(stored, fired); diff != "" {
			t.Errorf("fired of what was armed (-want +got):\n%s", diff)
		}
		if err := bounded.Arm(t.Context(), armed("later", time.Second)); err != nil {
			t.Errorf("a timer when there is room again: %v", err)
		}
	})
}

package turn_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	botID  = 42
	token  = "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	pinTTL = 2 * time.Second
)

// rig is the pipeline in virtual time: a real broker, a store, and a Bot API that is a function.
type rig struct {
	t        *testing.T
	server   *embedded.Server
	conn     *broker.Conn
	cfg      turn.Config
	reg      *prometheus.Registry
	log      *slog.Logger                            // of the workers; nil: none
	limits   api.Limiter                             // nil: none
	wrapDead func(turn.DeadLetters) turn.DeadLetters // wraps the store of dead letters of each worker; nil: not wrapped
	wire     *natstest.Wire                          // of the workers to the broker; nil: one that is always open
	sessions fsm.Store                               // of all workers; nil: a bucket of the broker

	fleet turn.Fleet // what the workers know of others
	lacks bool       // the workers lack the bot

	mu     sync.Mutex
	calls  []string // "method text"
	answer func(method string, params map[string]any) (code int, body string)
	next   int64
}

func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		r := &rig{t: t, server: s, conn: connect(t, s.Option()), next: 1000}
		defer r.conn.Close(t.Context())
		test(t, r)
	})
}

func connect(t *testing.T, server nats.Option) *broker.Conn {
	t.Helper()
	one := broker.Topology{Partitions: 1, PinTTL: pinTTL}
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{server}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ensure(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureConsumers(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	return c
}

func compiled(tb testing.TB, r *bot.Router) *bot.Program {
	tb.Helper()
	p, err := r.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

type worker struct {
	runner *turn.Runner
	stop   func() // hands over
	kill   func() // ends at once: nothing that it does later arrives
}

func (r *rig) work(b *bot.Router) *worker {
	r.t.Helper()
	id, err := api.ParseToken(token)
	if err != nil {
		r.t.Fatal(err)
	}
	server := r.server.Option()
	if r.wire != nil {
		server = r.wire.Option()
	}
	conn := connect(r.t, server)
	store := r.sessions
	if store == nil {
		if store, err = kvstore.Open(r.t.Context(), conn.JetStream(), kvstore.Config{}); err != nil {
			r.t.Fatal(err)
		}
	}
	reg := prometheus.NewRegistry()
	r.reg = reg
	dead := turn.DeadLetters(deadletter.New(conn))
	if r.wrapDead != nil {
		dead = r.wrapDead(dead)
	}
	bots := map[int64]turn.Identity{botID: {Token: id, Username: "test_bot"}}
	if r.lacks {
		bots = nil
	}
	runner := turn.New(r.cfg, turn.Deps{
		Program: compiled(r.t, b), Store: store, Dead: dead,
		Client: api.NewClient(api.Config{Transport: r}, r.limits, nil),
		Bots:   bots, Fleet: r.fleet,
	}, cmp.Or(r.log, slog.New(slog.DiscardHandler)), reg)
	owner := ownership.New(ownership.Config{PinTTL: pinTTL}, conn, lane.NewSlots(64), nil)
	ctx, cancel := context.WithCancel(context.Background())
	work, kill := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = owner.Run(ctx, work, partition.ID(0), runner.Start) }()
	end := sync.OnceFunc(func() { cancel(); <-done; kill(); runner.Wait(); conn.Close(context.Background()) })
	r.t.Cleanup(end)
	return &worker{runner: runner, stop: end, kill: func() { conn.JetStream().Conn().Close(); kill(); end() }}
}

// say publishes a text in a chat, and returns its update id.
func (r *rig) say(chat int64, text string) int64 {
	r.t.Helper()
	return r.send(chat, map[string]any{"text": text})
}

func (r *rig) send(chat int64, message map[string]any) int64 {
	r.t.Helper()
	r.next++
	r.deliver(r.next, chat, message)
	return r.next
}

func (r *rig) deliver(id, chat int64, message map[string]any) {
	r.t.Helper()
	message["message_id"], message["date"] = id, time.Now().Unix()
	message["chat"] = map[string]any{"id": chat, "type": "group", "title": "G"}
	message["from"] = map[string]any{"id": 7, "is_bot": false, "first_name": "Ann"}
	body, err := json.Marshal(map[string]any{"update_id": id, "message": message})
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := update.Peek(botID, body)
	if err != nil {
		r.t.Fatal(err)
	}
	u := queue.Update{ID: id, Type: e.Type, Scope: e.Scope, Lane: lane.ByChat.Key(e.Scope), Received: time.Now(), Body: body, Album: e.Album}
	if err := queue.NewPublisher(r.conn, 1, nil).Publish(r.t.Context(), u); err != nil {
		r.t.Fatal(err)
	}
}

// RoundTrip is the Bot API.
func (r *rig) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	params := map[string]any{}
	if req.Method == http.MethodPost {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &params); err != nil {
			return nil, err
		}
	}
	method := path.Base(req.URL.Path)
	code, body := http.StatusOK, `{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"}}}`
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answer != nil {
		if c, b := r.answer(method, params); c != 0 {
			code, body = c, b
		}
	}
	if code == http.StatusOK {
		r.calls = append(r.calls, fmt.Sprintf("%v %v", params["chat_id"], params["text"]))
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// sent lists the texts of the executed Bot API calls, in order.
func (r *rig) sent() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// expect waits and compares the texts that were sent.
func (r *rig) expect(after time.Duration, want ...string) {
	r.t.Helper()
	time.Sleep(after)
	synctest.Wait()
	if got := r.sent(); !slices.Equal(got, want) {
		r.t.Errorf("sent %q, want %q", got, want)
	}
}

// empty checks that nothing waits in the streams.
func (r *rig) empty() {
	r.t.Helper()
	for _, name := range []string{broker.Names{}.Updates(), broker.Names{}.Parked()} {
		s, err := r.conn.JetStream().Stream(r.t.Context(), name)
		if err != nil {
			r.t.Fatal(err)
		}
		if n := s.CachedInfo().State.Msgs; n != 0 {
			r.t.Errorf("%d updates wait in %s, want none", n, name)
		}
	}
}

// count reads a counter of the last worker. label is the value of its one label, if any.
func (r *rig) count(name, label string) int {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func (r *rig) expectTurns(outcome string, want int) {
	r.t.Helper()
	if got := r.count("chatlane_turns_total", outcome); got != want {
		r.t.Errorf("%d turns %s, want %d", got, outcome, want)
	}
}

func (r *rig) dead() (ids []int64) {
	r.t.Helper()
	for l, err := range deadletter.New(r.conn).All(r.t.Context(), deadletter.Filter{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, l.Update)
	}
	return ids
}

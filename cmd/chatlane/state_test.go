package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testlog"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

type buffer = testlog.Buffer

// eachStore runs a case with a broker and a worker's store of each kind.
func eachStore(t *testing.T, test func(t *testing.T, p config.Program, out *buffer, worker fsm.Store)) {
	t.Helper()
	for _, kind := range []string{"redis", "nats"} {
		t.Run(kind, func(t *testing.T) {
			server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Stop)
			conn, out := queuetest.Connect(t, server), new(buffer)
			p := config.Program{Stdout: out, Stderr: out, Environ: []string{"CHATLANE_NATS_URL=" + server.URL(), "CHATLANE_STORE=" + kind, "CHATLANE_LOCK_TTL=10s"}}
			var worker fsm.Store
			if kind == "nats" {
				worker, err = kvstore.Open(t.Context(), conn.JetStream(), kvstore.Config{LockTTL: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
			} else {
				url := redistest.Start(t).URL
				p.Environ = append(p.Environ, "CHATLANE_REDIS_URL="+url)
				worker = redisStore(t, url)
			}
			test(t, p, out, worker)
		})
	}
}

func dialed(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisstore.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func redisStore(t *testing.T, url string) *redisstore.Store {
	t.Helper()
	return redisstore.New(dialed(t, url), redisstore.Config{LockTTL: 10 * time.Second})
}

// turnOf opens the turn of a message in private chat 316 of bot 42.
func turnOf(t *testing.T, worker fsm.Store, seq uint64) *fsm.Session {
	t.Helper()
	scope := lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 316, User: 316}
	s, err := worker.Open(t.Context(), fsm.KeysOf(lane.ByChat.Key(scope), scope, lane.ByChat, fsm.UserInChat), fsm.Position{Stream: 1_700_000_000_000_000_000, Seq: seq, Update: int64(seq)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// command runs a command that has to succeed, and returns what it prints.
func command(t *testing.T, p config.Program, out *buffer, line string) string {
	t.Helper()
	out.Take()
	if code := run(t.Context(), p, strings.Fields(line)); code != 0 {
		t.Fatalf("%s: exits with %d: %s", line, code, out.Take())
	}
	return out.Take()
}

func TestStateIsReadSetAndCleared(t *testing.T) {
	eachStore(t, func(t *testing.T, p config.Program, out *buffer, worker fsm.Store) {
		s := turnOf(t, worker, 1)
		s.SetState("order:size")
		s.SetData([]byte(`{"kind":"pizza"}`))
		s.SetMeta([]byte(`{"v":2,"h":["order:kind"],"t":"timer"}`))
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		get := func() (c conversation) {
			t.Helper()
			if err := json.Unmarshal([]byte(command(t, p, out, "state get --json 42:c:316")), &c); err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := get(); c.State != "order:size" || string(c.Data) != `{"kind":"pizza"}` || c.Key != "42:c:316:u:316" || c.Locked {
			t.Errorf("get finds %+v", c)
		}
		for _, tt := range []struct{ line, state, data, router string }{
			{"state set --bot=42 316 order:amount", "order:amount", `{"kind":"pizza"}`, `{"v":2}`},
			{"state set --bot=42 316 order:amount --data={\"n\":2}", "order:amount", `{"n":2}`, `{"v":2}`},
			{"state set --bot=42 316 order:amount --schema=3", "order:amount", `{"n":2}`, `{"v":3}`},
			{"state set --bot=42 316 tally:counting", "tally:counting", "", ""},
			{"state clear --bot=42 316", "", "", ""},
			{"state clear --bot=42 316", "", "", ""},
			{"state set --bot=42 316 done", "done", "", ""},
		} {
			if said := command(t, p, out, tt.line); strings.Contains(said, "pizza") {
				t.Errorf("%s prints data: %s", tt.line, said)
			}
			if c := get(); c.State != tt.state || string(c.Data) != tt.data || string(c.Meta) != tt.router {
				t.Errorf("after %s: %+v", tt.line, c)
			}
		}
		if s := turnOf(t, worker, 2); s.State() != "done" {
			t.Errorf("the next turn finds %q", s.State())
		}
	})
}

func TestStateSetWaitsForARunningTurn(t *testing.T) {
	eachStore(t, func(t *testing.T, p config.Program, out *buffer, worker fsm.Store) {
		turn := turnOf(t, worker, 1)
		turn.SetState("order:size")
		if code := run(t.Context(), p, []string{"state", "set", "42:c:316", "order:amount", "--wait=300ms"}); code != 1 || !out.Has("nothing was changed") || !out.Has("is locked: a turn runs") {
			t.Errorf("exits with %d: %s", code, out.Take())
		}
		out.Take()
		ended := make(chan int)
		go func() { ended <- run(t.Context(), p, []string{"state", "set", "42:c:316", "order:amount"}) }()
		until(t, "the command says what it waits for", func() bool { return out.Has("waiting for its end, at most 30s") })
		if err := turn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if code := <-ended; code != 0 || !out.Has("42:c:316:u:316: order:amount, was order:size") {
			t.Errorf("exits with %d: %s", code, out.Take())
		}
	})
}

func TestStateSaysWhatIsMissing(t *testing.T) {
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	queuetest.Connect(t, server)
	out := new(buffer)
	p := config.Program{Stdout: out, Stderr: out, Environ: []string{"CHATLANE_NATS_URL=" + server.URL(), "CHATLANE_STORE=nats"}}
	for line, want := range map[string]string{
		"state get 316":                             "set --bot",
		"state get chat":                            "neither a chat id nor a lane",
		"state get --bot=43 42:c:316":               "--bot is 43",
		"state get --bot=42 -- -100":                "set --user",
		"state get 42:p:9":                          "no conversation",
		"state get 42:c:316":                        "bucket chatlane_state does not exist",
		"state set 42:c:316 order:size --data={":    "set JSON",
		"state get 42:c:316 --fsm-strategy=someone": "CHATLANE_FSM_STRATEGY",
	} {
		out.Take()
		if code := run(t.Context(), p, strings.Fields(line)); code == 0 || !out.Has(want) {
			t.Errorf("%s: exits with %d: %s", line, code, out.Take())
		}
	}
	conn, err := broker.Connect(t.Context(), broker.Settings{URL: server.URL()}.Config("test"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if found, err := conn.Has(t.Context(), "KV_chatlane_state"); err != nil || found {
		t.Errorf("a command has made the bucket: %v", errors.Join(err))
	}
}

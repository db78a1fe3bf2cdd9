package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/parking"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

// parkedChats is a broker and a worker with a parked update of each of bot 42's chats 316 and
// -100316; attempts after the first succeed.
func parkedChats(t *testing.T) (p config.Program, out *bytes.Buffer, conn *broker.Conn, done *atomic.Int32) {
	t.Helper()
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	conn, done = queuetest.Connect(t, server), new(atomic.Int32)
	var tried sync.Map // by update id
	queuetest.Start(t, conn, func(d *queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next {
			if _, again := tried.LoadOrStore(d.ID, true); !again {
				return queue.Next{Again: time.Hour, Park: true}
			}
			_ = d.Ack(ctx)
			done.Add(1)
			return queue.Next{}
		}
	})
	queuetest.PublishTo(t, conn, 316, 1)
	queuetest.PublishTo(t, conn, -100316, 2)
	until(t, "two parked lanes", func() bool {
		lanes, err := parking.List(t.Context(), conn)
		d, err2 := conn.Depth(t.Context())
		return err == nil && err2 == nil && len(lanes) == 2 && d.Queued == 0
	})
	out = new(bytes.Buffer)
	return config.Program{Stdout: out, Stderr: out, Environ: []string{"CHATLANE_NATS_URL=" + server.URL(), "CHATLANE_PARTITIONS=1"}}, out, conn, done
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again, limit := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestLaneListSaysWhySinceWhenAndWhatIsNext(t *testing.T) {
	p, out, _, _ := parkedChats(t)
	if code := run(t.Context(), p, []string{"lane", "list", "--json", "--bot=42"}); code != 0 {
		t.Fatalf("exits with %d: %s", code, out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("lists %s", out)
	}
	var l parkedLane
	if err := json.Unmarshal([]byte(lines[1]), &l); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(l.Next); l.Lane != "42:c:316" || l.Updates != 1 || l.Reason != "waiting" ||
		time.Since(l.Since) > time.Minute || left < 50*time.Minute || left > time.Hour {
		t.Errorf("lists %+v", l)
	}
	out.Reset()
	if code := run(t.Context(), p, []string{"lane", "list", "--bot=43"}); code != 0 || out.Len() != 0 {
		t.Errorf("exits with %d: %s", code, out)
	}
}

func TestLaneFreeTakesChatsAndFilters(t *testing.T) {
	for _, tt := range []struct {
		args string
		want int32
	}{
		{"316", 1},
		{"42:c:316", 1},
		{"--bot=42 -- -100316", 1},
		{"-- 316 -100316", 2},
		{"--bot=42", 2},
		{"--reason=waiting", 2},
		{"--all", 2},
	} {
		t.Run(tt.args, func(t *testing.T) {
			p, out, _, done := parkedChats(t)
			if code := run(t.Context(), p, append([]string{"lane", "free"}, strings.Fields(tt.args)...)); code != 0 {
				t.Fatalf("exits with %d: %s", code, out)
			}
			if n := strings.Count(out.String(), " is free\n"); n != int(tt.want) {
				t.Errorf("prints %s", out)
			}
			until(t, "freed lanes are worked off", func() bool { return done.Load() == tt.want })
		})
	}
}

func TestLaneFreeSaysWhatDoesNotMatch(t *testing.T) {
	p, out, _, done := parkedChats(t)
	for args, want := range map[string]string{
		"":                       "--all for every parked lane",
		"317":                    "no parked lane of chat or key 317",
		"42:c:317":               "no parked lane of chat or key 42:c:317",
		"--bot=43":               "no parked lane matches",
		"--reason=flooding 316":  "no parked lane matches",
		"--reason=nothing --all": "--reason",
		"chat":                   "neither a chat id nor a lane",
	} {
		out.Reset()
		if code := run(t.Context(), p, append([]string{"lane", "free"}, strings.Fields(args)...)); code == 0 || !strings.Contains(out.String(), want) {
			t.Errorf("lane free %s: exits with %d: %s", args, code, out)
		}
	}
	if done.Load() != 0 {
		t.Error("a lane was freed")
	}
}

func TestLaneFreeWithoutAWorkerSaysSo(t *testing.T) {
	p, out, conn, _ := parkedChats(t)
	// Copies of a partition that nobody owns.
	s, err := conn.Stream(t.Context(), conn.Names().Parked())
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), "parked.0.42.c:316")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.JetStream().Publish(t.Context(), "parked.5.42.c:7", m.Data); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), p, []string{"lane", "free", "7"}); code == 0 || !strings.Contains(out.String(), "no worker owns its partition") {
		t.Errorf("exits with %d: %s", code, out)
	}
}

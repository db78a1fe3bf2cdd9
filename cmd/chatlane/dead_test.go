package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// graveyard is a broker with six dead letters: updates 1 to 6, of chats 100 and 101 in
// turn, of which the first three died three hours ago and the others a minute ago.
func graveyard(t *testing.T) (p config.Program, out *bytes.Buffer, conn *broker.Conn) {
	t.Helper()
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if conn, err = broker.Connect(t.Context(), broker.Config{URL: server.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	if err := conn.Ensure(t.Context(), broker.Topology{}); err != nil {
		t.Fatal(err)
	}
	for i := int64(1); i <= 6; i++ {
		died, reason := time.Now().Add(-time.Minute), deadletter.ReasonError
		if i <= 3 {
			died = time.Now().Add(-3 * time.Hour)
		}
		if i == 6 {
			reason = deadletter.ReasonCrash
		}
		s := lane.Scope{Bot: 42 + i/6, Kind: lane.KindChat, Chat: 100 + i%2, User: 7}
		k := lane.ByChat.Key(s)
		err := deadletter.New(conn).Put(t.Context(), deadletter.Letter{
			Bot: s.Bot, Update: i, Type: "message", Scope: s, Lane: k, Partition: partition.Of(string(k), 64), Seq: uint64(i),
			Reason: reason, Error: "no", Attempts: 5, Received: died, First: died, Died: died, Body: []byte("{}"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	out = new(bytes.Buffer)
	return config.Program{Stdout: out, Stderr: out, Environ: []string{"CHATLANE_NATS_URL=" + server.URL()}}, out, conn
}

func TestDeadListSelects(t *testing.T) {
	p, out, _ := graveyard(t)
	for _, tt := range []struct {
		flags string
		want  []int64
	}{
		{"", []int64{1, 2, 3, 4, 5, 6}},
		{"--bot=42", []int64{1, 2, 3, 4, 5}},
		{"--chat=101", []int64{1, 3, 5}},
		{"--reason=crash", []int64{6}},
		{"--since=1h", []int64{4, 5, 6}},
		{"--until=1h", []int64{1, 2, 3}},
		{"--since=4h --until=" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), []int64{1, 2, 3}},
		{"--until=2001-01-01T00:00:00Z", nil},
		{"--chat=101 --since=1h", []int64{5}},
	} {
		out.Reset()
		code := run(t.Context(), p, append([]string{"dead", "list", "--json"}, strings.Fields(tt.flags)...))
		var got []int64
		for line := range strings.Lines(out.String()) {
			var l deadletter.Letter
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("no JSON: %s", line)
			}
			got = append(got, l.Update)
		}
		if code != 0 || !slices.Equal(got, tt.want) {
			t.Errorf("%s: exits with %d, lists %v, want %v", tt.flags, code, got, tt.want)
		}
	}
}

func TestDeadListRefusesWhatIsNoTime(t *testing.T) {
	p, out, _ := graveyard(t)
	if code := run(t.Context(), p, []string{"dead", "list", "--since=yesterday"}); code == 0 || !strings.Contains(out.String(), "CHATLANE_DEAD_SINCE") {
		t.Errorf("exits with %d: %s", code, out)
	}
}

func TestDeadReplayPutsThemBackInOrder(t *testing.T) {
	p, out, conn := graveyard(t)
	if code := run(t.Context(), p, []string{"dead", "replay", "--chat=101"}); code != 0 {
		t.Fatalf("exits with %d: %s", code, out)
	}
	depth, err := conn.Depth(t.Context())
	if err != nil || depth.Dead != 3 || depth.Queued != 3 {
		t.Errorf("depth %+v, %v; want 3 dead, 3 queued", depth, err)
	}
	stream, err := conn.JetStream().Stream(t.Context(), broker.Names{}.Updates())
	if err != nil {
		t.Fatal(err)
	}
	for seq, update := range []int64{1, 3, 5} {
		m, err := stream.GetMsg(t.Context(), uint64(seq)+1)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Header.Get("Chatlane-Envelope"); !strings.HasPrefix(got, fmt.Sprintf("1 %d ", update)) {
			t.Errorf("place %d has %q, want update %d", seq+1, got, update)
		}
	}
}

func TestDeadShowTellsAllOfALetter(t *testing.T) {
	p, out, _ := graveyard(t)
	if code := run(t.Context(), p, []string{"dead", "show", "4"}); code != 0 {
		t.Fatalf("exits with %d: %s", code, out)
	}
	for _, want := range []string{"id        4\n", "lane      42:c:100\n", "update    4 (message)\n", "reason    error\n", "attempts  5\n", "first     ", "{}"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	out.Reset()
	if code := run(t.Context(), p, []string{"dead", "show", "77"}); code != config.ExitFailed || !strings.Contains(out.String(), "dead letter 77: not found") {
		t.Errorf("a letter that is not there: exits with %d: %s", code, out)
	}
}

// What cannot be taken back is not done to everything by a slip.
func TestDeadDropWantsAChoice(t *testing.T) {
	p, out, conn := graveyard(t)
	for _, tt := range []struct {
		args string
		code int
		left uint64
	}{
		{"drop", config.ExitUsage, 6},
		{"replay", config.ExitUsage, 6},
		{"drop 1 2", 0, 4},
		{"drop --reason=crash", 0, 3},
		{"drop --all", 0, 0},
	} {
		out.Reset()
		code := run(t.Context(), p, append([]string{"dead"}, strings.Fields(tt.args)...))
		depth, err := conn.Depth(t.Context())
		if code != tt.code || err != nil || depth.Dead != tt.left {
			t.Errorf("dead %s: exits with %d, %d letters are left (%v); want %d and %d: %s", tt.args, code, depth.Dead, err, tt.code, tt.left, out)
		}
		if tt.code == config.ExitUsage && !strings.Contains(out.String(), "--all") {
			t.Errorf("dead %s does not say what would be right: %s", tt.args, out)
		}
	}
}

// A letter of a version with another envelope is reported and hides no other; it can be
// dropped by its id.
func TestDeadGoesOnBehindAnUnreadableLetter(t *testing.T) {
	p, out, conn := graveyard(t)
	newer := &nats.Msg{Subject: "dead.0.42.c:100", Header: nats.Header{"Chatlane-Envelope": {"2 of another form"}}, Data: []byte("{}")}
	if _, err := conn.JetStream().PublishMsg(t.Context(), newer); err != nil { // letter 7
		t.Fatal(err)
	}
	last := deadletter.Letter{Bot: 42, Update: 8, Lane: "42:c:100", Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}, Reason: deadletter.ReasonError, Body: []byte("{}")}
	if err := deadletter.New(conn).Put(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		says string
		left uint64
	}{
		{"list", 0, "dead letter 7", 8},
		{"list", 0, "\t42:c:100\terror\t8\t", 8},
		{"show 7", config.ExitFailed, "dead letter 7", 8},
		{"replay --all", config.ExitFailed, "drop them by id", 1},
		{"drop 7", 0, "7\tdropped", 0},
	} {
		out.Reset()
		code := run(t.Context(), p, append([]string{"dead"}, strings.Fields(tt.args)...))
		depth, err := conn.Depth(t.Context())
		if code != tt.code || !strings.Contains(out.String(), tt.says) || err != nil || depth.Dead != tt.left {
			t.Errorf("dead %s: exits with %d, %d letters are left (%v), says %s; want %d, %d and %q", tt.args, code, depth.Dead, err, out, tt.code, tt.left, tt.says)
		}
	}
}

// A letter tells which calls and steps are done, and a replay takes them along unless it is
// fresh.
func TestDeadShowListsWhatIsDone(t *testing.T) {
	p, out, conn := graveyard(t)
	call, err := journal.Entry{Status: journal.Result, Name: "sendMessage", At: time.Unix(1_700_000_000, 0), Result: json.RawMessage(`{"message_id":77,"text":"private"}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	step, err := journal.Entry{Status: journal.Result, Name: "charge\x1b[2J", Step: true, At: time.Unix(1_700_000_000, 0), Result: json.RawMessage(`true`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l := deadletter.Letter{
		Bot: 42, Update: 8, Type: "message", Lane: "42:c:100", Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}, Reason: deadletter.ReasonError,
		Body: []byte("{}"), Journal: journal.Kept{Turn: map[int][]byte{0: step, 1: call}}.Encode(),
	}
	for range 2 {
		if err := deadletter.New(conn).Put(t.Context(), l); err != nil { // letters 7 and 8
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"dead show 7":        "done      2023-11-14T22:13:20Z  step \"charge\\x1b[2J\"  true\ndone      2023-11-14T22:13:20Z  sendMessage  message 77\n",
		"dead show 7 --json": `"Done":[{"Step":"charge\u001b[2J","Result":"true","At":`,
	} {
		out.Reset()
		if code := run(t.Context(), p, strings.Fields(args)); code != 0 || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "private") {
			t.Errorf("%s: exits with %d, says %q; want %q", args, code, out, want)
		}
	}
	stream, err := conn.JetStream().Stream(t.Context(), broker.Names{}.Updates())
	if err != nil {
		t.Fatal(err)
	}
	for seq, args := range []string{"dead replay 7", "dead replay 8 --fresh"} {
		if code := run(t.Context(), p, strings.Fields(args)); code != 0 {
			t.Fatalf("%s: exits with %d: %s", args, code, out)
		}
		m, err := stream.GetMsg(t.Context(), uint64(seq)+1)
		if err != nil {
			t.Fatal(err)
		}
		u, err := queue.DecodeUpdate(m.Subject, m.Header, m.Data)
		if fresh := seq == 1; err != nil || string(u.Body) != "{}" || bytes.Equal(u.Journal, l.Journal) == fresh {
			t.Errorf("%s puts back the body %q with a journal of %d bytes, %v", args, u.Body, len(u.Journal), err)
		}
	}
}

// What strangers have written does nothing to the operator's terminal.
func TestDeadShowsNoControlCharacters(t *testing.T) {
	p, out, conn := graveyard(t)
	evil := "\x1b]0;owned\x07\x9b2J\u009b2J\u202e\x7f\r"
	l := deadletter.Letter{
		Bot: 42, Update: 8, Type: "message", Lane: "42:c:100", Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}, Reason: deadletter.ReasonError,
		Error: evil, Stack: "main.go:7\n\t" + evil, Body: []byte("{\n" + evil + "}"), Trace: "t",
	}
	if err := deadletter.New(conn).Put(t.Context(), l); err != nil { // letter 7
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"dead list", "owned"},
		{"dead show 7", "main.go:7\n\t" + `\x1b]0;owned\x07\x9b2J\x9b2J\u202e\x7f\x0d`},
		{"dead list --json", "owned"},
		{"dead show 7 --json", "owned"},
		{"dead replay 7", "owned"},
	} {
		out.Reset()
		if code := run(t.Context(), p, strings.Fields(tt.args)); code != 0 || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: exits with %d, says %q; want %q", tt.args, code, out, tt.want)
		}
		for _, r := range out.String() {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u202e') {
				t.Errorf("%s prints %q in %q", tt.args, r, out)
				break
			}
		}
	}
}

// A listing of many reads no bodies, and can be had in parts.
func TestDeadListHasPagesWithoutBodies(t *testing.T) {
	p, out, _ := graveyard(t)
	for _, tt := range []struct{ flags, want string }{
		{"--limit=4", "1 2 3 4 more follow: --after=4"},
		{"--limit=4 --after=4", "5 6"},
		{"--limit=2 --chat=101 --after=1", "3 5"},
		{"--after=6", ""},
	} {
		out.Reset()
		if code := run(t.Context(), p, append([]string{"dead", "list", "--json"}, strings.Fields(tt.flags)...)); code != 0 {
			t.Errorf("%s: exits with %d: %s", tt.flags, code, out)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			var l map[string]any
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				got = append(got, strings.TrimSpace(line))
				continue
			}
			if _, ok := l["Body"]; ok {
				t.Errorf("%s: letter with a body: %s", tt.flags, line)
			}
			got = append(got, fmt.Sprint(l["Update"]))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s lists %q, want %q", tt.flags, got, tt.want)
		}
	}
}

package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/testport"
	"github.com/chatlane/chatlane/test/harness"
)

// TestRestoredServersAnswerWhatIsNew backs both servers up under load as docs/operations/backup.md says,
// loses them, and restores them: everything that comes after is answered, once and in order.
func TestRestoredServersAnswerWhatIsNew(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	workers := []*harness.Process{r.Worker(), r.Worker()}
	l := begin(t, r, hook)
	wait(t, 3*time.Second)
	began := time.Now()
	dir := redisDir(t, r)
	dump := dumpRedis(t, r, dir)
	streams := snapshot(t, r)
	took := time.Since(began)
	for _, w := range workers {
		w.Kill()
	}
	r.NATS.Kill()
	r.Redis.Stop()
	lost := l.round.Load()
	if err := os.RemoveAll(r.NATSDir()); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	restoreRedis(t, r, dir, dump)
	r.StartNATS()
	restore(t, r, streams)
	t.Logf("backup took %v, restore %v", took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	r.Worker()
	r.Worker()
	wait(t, 3*time.Second)
	l.stop()
	checkRestored(t, l, int(lost))
}

// checkRestored checks the replies of all chats to the texts that were said after the loss.
func checkRestored(t *testing.T, l *flow, lost int) {
	t.Helper()
	replies := make(map[int64][]int) // by chat: the numbers of the texts that were answered, in order
	read := func() {
		clear(replies)
		for _, m := range l.r.Telegram.Calls(simulator.Filter{Method: "sendMessage"}) {
			if _, text, found := strings.Cut(m.Text, ". text "); found {
				if k, err := strconv.Atoi(text); err == nil {
					replies[m.Chat] = append(replies[m.Chat], k)
				}
			}
		}
	}
	harness.Eventually(t, 60*time.Second, "each chat's last text is answered", func() bool {
		read()
		for c := range l.chats {
			all := replies[first+int64(c)]
			if len(all) == 0 || all[len(all)-1] != l.texts {
				return false
			}
		}
		return true
	})
	missing, twice, unordered, fresh := 0, 0, 0, 0
	for c := range l.chats {
		times := make(map[int]int)
		last := 0
		for _, k := range replies[first+int64(c)] {
			times[k]++
			if k < last && k > lost+1 {
				unordered++
			}
			last = k
		}
		for k := 1; k <= l.texts; k++ {
			twice += max(times[k]-1, 0)
			if times[k] == 0 {
				missing++
				if k > lost+1 { // the round of the loss, and the one that began in it, may be cut
					fresh++
				}
			}
		}
	}
	t.Logf("%d chats said %d texts each; %d texts were lost with the servers, %d replies came twice", l.chats, l.texts, missing, twice)
	if fresh+unordered > 0 {
		t.Errorf("of what was said after the loss %d texts got no reply, and %d replies came out of order", fresh, unordered)
	}
}

// dumpRedis copies what Redis has now.
func dumpRedis(t *testing.T, r *harness.Rig, dir string) (dump []byte) {
	t.Helper()
	before := redisSays(t, r, "LASTSAVE")
	redisSays(t, r, "BGSAVE")
	harness.Eventually(t, 20*time.Second, "Redis has saved", func() bool {
		return redisSays(t, r, "LASTSAVE") != before || strings.Contains(redisSays(t, r, "INFO persistence"), "rdb_changes_since_last_save:0\r")
	})
	dump, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

func redisSays(t *testing.T, r *harness.Rig, command string) string {
	t.Helper()
	answer, err := redistest.Do(t.Context(), r.Redis.Addr, command)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func redisDir(t *testing.T, r *harness.Rig) string {
	t.Helper()
	lines := strings.Fields(redisSays(t, r, "CONFIG GET dir"))
	return lines[len(lines)-1]
}

// restoreRedis makes an append-only file of the copy, and starts the server on it: a server with
// appendonly yes reads no dump.rdb.
func restoreRedis(t *testing.T, r *harness.Rig, to string, dump []byte) {
	t.Helper()
	dir, addr := t.TempDir(), testport.Addr(t)
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), dump, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	helper := exec.CommandContext(t.Context(), "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "no", "--save", "")
	harness.DieWithParent(helper)
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = helper.Wait() }()
	do := func(command string) string { answer, _ := redistest.Do(t.Context(), addr, command); return answer }
	harness.Eventually(t, 20*time.Second, "the copy is loaded", func() bool { return do("PING") == "+PONG" })
	do("CONFIG SET appendonly yes")
	harness.Eventually(t, 20*time.Second, "the append-only file is whole", func() bool {
		return strings.Contains(do("INFO persistence"), "aof_rewrite_in_progress:0\r") && strings.Contains(do("INFO persistence"), "aof_enabled:1\r")
	})
	do("SHUTDOWN")
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(dir))); err != nil {
		t.Fatal(err)
	}
	r.Redis.Restart()
}

// saved is a stream's snapshot.
type saved struct {
	name          string
	config, state json.RawMessage
	chunks        [][]byte
}

// snapshot takes a snapshot of each stream, as nats account backup does.
func snapshot(t *testing.T, r *harness.Rig) (all []saved) {
	t.Helper()
	nc := dialNATS(t, r)
	for _, name := range []string{"UPDATES", "PARKED", "DEADLETTERS", "TIMERS"} {
		inbox := nats.NewInbox()
		sub, err := nc.SubscribeSync(inbox)
		if err != nil {
			t.Fatal(err)
		}
		s := saved{name: name}
		begun := ask(t, nc, "$JS.API.STREAM.SNAPSHOT."+name, fmt.Appendf(nil, `{"deliver_subject":%q,"chunk_size":131072}`, inbox))
		s.config, s.state = begun.Config, begun.State
		for {
			m, err := sub.NextMsg(10 * time.Second)
			if err != nil {
				t.Fatalf("snapshot of %s: %v", name, err)
			}
			if len(m.Data) == 0 {
				break
			}
			s.chunks = append(s.chunks, m.Data)
			if m.Reply != "" {
				_ = m.Respond(nil)
			}
		}
		all = append(all, s)
	}
	return all
}

func restore(t *testing.T, r *harness.Rig, all []saved) {
	t.Helper()
	nc := dialNATS(t, r)
	for _, s := range all {
		to := ask(t, nc, "$JS.API.STREAM.RESTORE."+s.name, fmt.Appendf(nil, `{"config":%s,"state":%s}`, s.config, s.state)).Deliver
		for _, chunk := range append(s.chunks, nil) {
			if _, err := nc.Request(to, chunk, 10*time.Second); err != nil {
				t.Fatalf("restore %s: %v", s.name, err)
			}
		}
	}
}

// answer is what the broker says to both requests.
type answer struct {
	Config  json.RawMessage `json:"config"`
	State   json.RawMessage `json:"state"`
	Deliver string          `json:"deliver_subject"`
	Error   *struct {
		Description string `json:"description"`
	} `json:"error"`
}

func ask(t *testing.T, nc *nats.Conn, subject string, request []byte) (a answer) {
	t.Helper()
	m, err := nc.Request(subject, request, 10*time.Second)
	if err == nil {
		err = json.Unmarshal(m.Data, &a)
	}
	if err != nil || a.Error != nil {
		t.Fatalf("%s: %v %+v", subject, err, a.Error)
	}
	return a
}

func dialNATS(t *testing.T, r *harness.Rig) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(r.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

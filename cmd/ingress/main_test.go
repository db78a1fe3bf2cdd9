package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/broker/embedded"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	token = "111:TOKENTOKENTOKENTOKENTOKENTOKENTOKEN"
	body  = `{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":42,"type":"private"},"text":"hi"}}`
)

// TestMain lets the test binary stand in for the program.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_INGRESS") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestHelpListsTheSettings(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--help"}, nil, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit %d, %s", code, &stderr)
	}
	golden := filepath.Join("testdata", "help.golden")
	if *update {
		if err := os.WriteFile(golden, stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
		t.Errorf("help (-want +got):\n%s", diff)
	}
}

func TestWrongSettingsAreAllReported(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run([]string{"--listne=x"}, []string{
		"CHATLANE_BOT_TOKEN=nonsense", "CHATLANE_PARTITIONS=many", "CHATLANE_ALLOWED_IPS=home", "CHATLANE_LOG_LEVEL=loud",
	}, &stdout, &stderr)
	want := `ingress: unknown flag --listne, did you mean "--listen"?
ingress: CHATLANE_PARTITIONS: "many" is no whole number; set it like 64
ingress: CHATLANE_BOT_TOKEN: the value is no bot token; set it like 123456789:<35 letters, digits, _ or ->
ingress: CHATLANE_LOG_LEVEL: "loud" is unknown; set debug, info, warn or error
ingress: CHATLANE_ALLOWED_IPS: "home" is no address range; set one like 10.0.0.0/8, 2001:db8::/32 or telegram
`
	if diff := cmp.Diff(want, stderr.String()); diff != "" || code != 2 || stdout.Len() > 0 {
		t.Errorf("exit %d, stderr (-want +got):\n%s", code, diff)
	}
}

func TestNothingStartsWithoutSecret(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(nil, []string{"CHATLANE_BOT_TOKEN=" + token}, &stdout, &stderr)
	want := "ingress: CHATLANE_WEBHOOK_SECRET: bot 111 has none; set 1 to 256 letters, digits, _ or -\n"
	if stderr.String() != want || code != 2 {
		t.Errorf("exit %d, stderr:\n%s", code, &stderr)
	}
}

// process is an ingress of its own.
type process struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, environ ...string) *process {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Env = append([]string{
		"RUN_INGRESS=1", "CHATLANE_BOT_TOKEN=" + token, "CHATLANE_WEBHOOK_SECRET=hush", "CHATLANE_NATS_URL=" + s.URL(),
		"CHATLANE_LISTEN=127.0.0.1:0", "CHATLANE_ADMIN_LISTEN=127.0.0.1:0",
	}, environ...)
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	p.lines = bufio.NewScanner(stderr)
	return p
}

// await reads the log up to a message.
func (p *process) await(t *testing.T, msg string) map[string]any {
	t.Helper()
	for p.lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(p.lines.Bytes(), &line); err != nil {
			t.Errorf("not a log line: %s", p.lines.Text())
		}
		if line["msg"] == msg {
			return line
		}
	}
	t.Fatalf("the log has no %q", msg)
	return nil
}

func (p *process) exit(t *testing.T) (code int, rest string) {
	t.Helper()
	var out strings.Builder
	for p.lines.Scan() {
		out.WriteString(p.lines.Text() + "\n")
	}
	_ = p.Wait()
	return p.ProcessState.ExitCode(), out.String()
}

func TestSignalEndsItCleanly(t *testing.T) {
	p := start(t)
	address, _ := p.await(t, "ingress listens")["address"].(string)
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/webhook/111", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Telegram-Bot-Api-Secret-Token", "hush")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("answered %s", resp.Status)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, rest := p.exit(t)
	if code != 0 || !strings.Contains(rest, `"step":"broker connection"`) {
		t.Errorf("exit %d:\n%s", code, rest)
	}
}

func TestSecondSignalEndsItAtOnce(t *testing.T) {
	p := start(t, "CHATLANE_DRAIN_DELAY=20s")
	p.await(t, "ingress listens")
	began := time.Now()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "ingress drains")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, rest := p.exit(t)
	if took := time.Since(began); code != 1 || took > 10*time.Second || !strings.Contains(rest, "second signal") {
		t.Errorf("exit %d after %s:\n%s", code, took, rest)
	}
}

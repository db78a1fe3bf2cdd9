package config_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

// server is a Config as packages have them.
type server struct {
	Listen  string        `env:"CHATLANE_LISTEN" default:":8080" help:"Address to listen on."`
	NATS    string        `env:"CHATLANE_NATS_URL" default:"nats://127.0.0.1:4222" secret:"true" help:"Where NATS is."`
	TTL     time.Duration `env:"CHATLANE_PIN_TTL" default:"2s" help:"After this time another takes over."`
	Parts   int           `env:"CHATLANE_PARTITIONS" default:"64" help:"Number of partitions; fixed once the stream is made. Long enough a help text is wrapped at a hundred letters."`
	Ratio   float64       `env:"CHATLANE_RATIO" default:"0.5" help:"A ratio."`
	Pprof   bool          `env:"CHATLANE_PPROF" help:"Serve profiles."`
	Body    int64         `env:"CHATLANE_MAX_BODY" default:"1MiB" unit:"bytes" help:"Largest body."`
	Allowed []string      `env:"CHATLANE_ALLOWED_IPS" help:"Networks."`
	Level   level         `env:"CHATLANE_LEVEL" default:"low" help:"low or high."`
	Service string        `env:"OTEL_SERVICE_NAME" help:"Name of the service in traces."`
}

func (s *server) Validate() error {
	var problems []error
	if s.Parts < 1 {
		problems = append(problems, errors.New("CHATLANE_PARTITIONS must be 1 to 1024, such as 64"))
	}
	if s.TTL < time.Second {
		problems = append(problems, errors.New("CHATLANE_PIN_TTL must be 1s or more, such as 2s"))
	}
	return errors.Join(problems...)
}

type level string

func (l *level) UnmarshalText(text []byte) error {
	if s := string(text); s != "low" && s != "high" {
		return errors.New("want low or high")
	}
	*l = level(text)
	return nil
}

// settings is what a main puts together.
type settings struct {
	Server server      `embed:"" prefix:"server-"`
	Bots   config.Bots `embed:"" prefix:"bots-" group:"Bots"`
}

func load(t *testing.T, args, environ []string) (settings, error) {
	t.Helper()
	var s settings
	_, err := config.Program{Name: "ingress", Args: args, Environ: environ, Stdout: io.Discard}.Load(&s)
	return s, err
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantProblems(t *testing.T, err error, want ...string) {
	t.Helper()
	var all *config.Error
	if !errors.As(err, &all) {
		t.Fatalf("error is %v, want a *config.Error", err)
	}
	if diff := cmp.Diff(want, all.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestDefaultsHoldWhereNothingIsSet(t *testing.T) {
	s, err := load(t, nil, []string{"CHATLANE_LISTEN=", "HOME=/root"})
	if err != nil {
		t.Fatal(err)
	}
	want := server{
		Listen: ":8080", NATS: "nats://127.0.0.1:4222", TTL: 2 * time.Second, Parts: 64,
		Ratio: 0.5, Body: 1 << 20, Level: "low",
	}
	if diff := cmp.Diff(want, s.Server); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	path := file(t, "chatlane.yaml", "listen: file\npartitions: 1\nchatlane_ratio: 0.1\npprof: on\nallowed_ips: [10.0.0.0/8, telegram]\n")
	s, err := load(t,
		[]string{"--config", path, "--listen=flag", "--max-body", "2KiB"},
		[]string{"CHATLANE_LISTEN=env", "CHATLANE_PARTITIONS=2", "OTEL_SERVICE_NAME=x"})
	if err != nil {
		t.Fatal(err)
	}
	want := server{
		Listen: "flag", NATS: "nats://127.0.0.1:4222", TTL: 2 * time.Second, Parts: 2, Ratio: 0.1, Pprof: true,
		Body: 2048, Allowed: []string{"10.0.0.0/8", "telegram"}, Level: "low", Service: "x",
	}
	if diff := cmp.Diff(want, s.Server); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
}

func TestListsComeByCommaAndByRepetition(t *testing.T) {
	s, err := load(t, []string{"--allowed-ips", "a, b", "--allowed-ips=c,", "--pprof", "--listen=x", "--listen=y"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, s.Server.Allowed); diff != "" || !s.Server.Pprof || s.Server.Listen != "y" {
		t.Errorf("pprof %v, listen %q, list (-want +got):\n%s", s.Server.Pprof, s.Server.Listen, diff)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	path := file(t, "c.yaml", "partitions: [1, 2]\nlissten: x\nratio: {a: b}\nlevel: mid\nredis_url: redis://h\n")
	_, err := load(t,
		[]string{"--pin-ttl=2", "--nope", "value", "--max-boddy=1", "--bot-token"},
		[]string{
			"CHATLANE_CONFIG=" + path, "CHATLANE_PPROF=maybe", "CHATLANE_MAX_BODY=huge",
			"CHATLANE_PARTITION=3", "CHATLANE_REDIS_URL=redis://h", "CHATLANE_WORKER_SERVICE_HOST=10.0.0.1",
			"CHATLANE_INGRESS_PORT_8080_TCP=tcp://10.0.0.1:8080",
		})
	wantProblems(t, err,
		`CHATLANE_PIN_TTL (--pin-ttl): "2" is no duration; set it like 2s`,
		`unknown flag --nope`,
		`unknown flag --max-boddy, did you mean "--max-body"?`,
		`--bot-token: a value must follow`,
		`c.yaml:2: "lissten": no such key; did you mean listen?`,
		`CHATLANE_RATIO (c.yaml:3): holds a mapping; give one value or a list of them`,
		`CHATLANE_PARTITIONS (c.yaml:1): a list of 2 values is set; give one`,
		`CHATLANE_PPROF: "maybe" is neither true nor false; set it like true or false`,
		`CHATLANE_MAX_BODY: "huge" is no size; set it like 1MiB`,
		`CHATLANE_LEVEL (c.yaml:4): "mid": want low or high`,
		`CHATLANE_PARTITION: no such variable; did you mean CHATLANE_PARTITIONS?`,
	)
}

func TestStrayArgumentIsRefusedAndNotShown(t *testing.T) {
	_, err := load(t, []string{"hush"}, []string{"CHATLANE_PPROF=maybe"})
	wantProblems(t, err,
		`unexpected argument; settings are given as --name=value`,
		`CHATLANE_PPROF: "maybe" is neither true nor false; set it like true or false`,
	)
}

// A file or an environment that serves all programs holds settings of others.
func TestSettingsOfOtherProgramsAreNoFault(t *testing.T) {
	path := file(t, "c.yaml", "redis_url: redis://h\n")
	var out strings.Builder
	var s settings
	p := config.Program{Name: "x", Args: []string{"--config", path}, Environ: []string{"CHATLANE_REDIS_URL=redis://h"}, Stdout: &out, Stderr: &out}
	if _, err := p.Load(&s); err != nil || out.Len() > 0 {
		t.Errorf("%v: %s", err, &out)
	}
}

func TestValidationReportsWhatParsingLetPass(t *testing.T) {
	_, err := load(t, nil, []string{"CHATLANE_PARTITIONS=-1", "CHATLANE_PIN_TTL=fast"})
	wantProblems(t, err,
		`CHATLANE_PIN_TTL: "fast" is no duration; set it like 2s`,
		`CHATLANE_PARTITIONS must be 1 to 1024, such as 64`,
	)
}

func TestArgumentsFollowTheFlagsWhereTaken(t *testing.T) {
	var s struct {
		Server server   `embed:""`
		IDs    []string `arg:"" name:"id"`
	}
	_, err := config.Program{Args: []string{"--pprof", "7", "8", "--listen=x"}}.Load(&s)
	if diff := cmp.Diff([]string{"7", "8"}, s.IDs); diff != "" || err != nil || !s.Server.Pprof {
		t.Errorf("pprof %v, error %v, arguments (-want +got):\n%s", s.Server.Pprof, err, diff)
	}
}

func TestNegativeNumbersAreValues(t *testing.T) {
	_, err := load(t, []string{"--partitions", "-5"}, nil)
	wantProblems(t, err, "CHATLANE_PARTITIONS must be 1 to 1024, such as 64")
}

func TestSecretsAreReadFromFiles(t *testing.T) {
	path := file(t, "url", "nats://u:p@host:4222\n")
	for _, how := range []struct{ args, environ []string }{
		{environ: []string{"CHATLANE_NATS_URL_FILE=" + path}},
		{args: []string{"--nats-url-file", path}},
		{args: []string{"--config", file(t, "c.yaml", "nats_url_file: "+path)}},
	} {
		s, err := load(t, how.args, how.environ)
		if err != nil || s.Server.NATS != "nats://u:p@host:4222" {
			t.Errorf("%v: url %q, error %v", how, s.Server.NATS, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	_, err := load(t, nil, []string{"CHATLANE_NATS_URL_FILE=" + missing})
	wantProblems(t, err, "CHATLANE_NATS_URL: its file: "+missing+": no such file or directory")
	_, err = load(t, nil, []string{"CHATLANE_NATS_URL_FILE=" + path, "CHATLANE_NATS_URL=x"})
	wantProblems(t, err, "CHATLANE_NATS_URL: CHATLANE_NATS_URL_FILE is set too; set one of them")
}

// tool is a program with commands.
type tool struct {
	Greet greet `cmd:"" help:"Say hello."`
	Fail  fail  `cmd:"" help:"Fail."`
}

type greet struct {
	Server server `embed:""`
	Name   string `arg:"" help:"Whom to greet."`
}

// Help has an example.
func (*greet) Help() string { return "Example:\n\n  tool greet Ann" }

func (g *greet) Run(ctx context.Context, p config.Program) error {
	p.Printf("hello %s on %s, %v\n", g.Name, g.Server.Listen, ctx.Err())
	return nil
}

type fail struct{}

func (fail) Run() error { return errors.Join(errors.New("one"), errors.New("two")) }

// runTool gives what a run prints, and its exit code.
func runTool(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var b strings.Builder
	code = config.Program{Name: "tool", About: "A tool.", Args: args, Stdout: &b, Stderr: &b}.Run(t.Context(), &tool{})
	return b.String(), code
}

func TestCommandRunsWithItsSettings(t *testing.T) {
	for args, want := range map[string]struct {
		out  string
		code int
	}{
		"greet Ann --listen=:1": {"hello Ann on :1, <nil>\n", 0},
		"fail":                  {"tool: one\ntool: two\n", config.ExitFailed},
		"greet Ann --pin-ttl=0": {"tool: CHATLANE_PIN_TTL must be 1s or more, such as 2s\n", config.ExitUsage},
		"":                      {"tool: expected one of \"greet\", \"fail\"\n", config.ExitUsage},
		"gret":                  {"tool: unexpected argument, did you mean \"greet\"?\n", config.ExitUsage},
	} {
		if out, code := runTool(t, strings.Fields(args)...); out != want.out || code != want.code {
			t.Errorf("%q exits with %d: %s", args, code, out)
		}
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	t.Setenv("COLUMNS", "")
	var s settings
	var out strings.Builder
	p := config.Program{Name: "ingress", About: "Receives Telegram's webhook requests.", Args: []string{"--help"}, Environ: []string{"CHATLANE_LISTEN=:1"}, Stdout: &out}
	if _, err := p.Load(&s); err == nil {
		t.Error("the program goes on after its help")
	}
	golden(t, "help.golden", out.String())
	root, code := runTool(t, "--help")
	command, code2 := runTool(t, "greet", "--help")
	if code != 0 || code2 != 0 {
		t.Errorf("help exits with %d and %d", code, code2)
	}
	golden(t, "commands.golden", root+"\n"+command)
}

func TestCompletionKnowsCommandsAndFlags(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out, code := runTool(t, "--completion", shell)
		if code != 0 {
			t.Errorf("%s: exits with %d", shell, code)
		}
		golden(t, "completion."+shell, out)
	}
	if out, code := runTool(t, "--completion=cmd"); code != config.ExitUsage || !strings.Contains(out, "bash, zsh or fish") {
		t.Errorf("an unknown shell: %d, %s", code, out)
	}
}

// The script offers what may follow, in the shell itself.
func TestCompletionWorksInBash(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	script, _ := runTool(t, "--completion=bash")
	for words, want := range map[string]string{"tool gr": "greet", "tool greet --pi": "--pin-ttl", "tool greet Ann --max": "--max-body"} {
		fields := strings.Fields(words)
		script := fmt.Sprintf("%s\nCOMP_WORDS=(%s); COMP_CWORD=%d; _tool; echo ${COMPREPLY[@]}", script, words, len(fields)-1)
		out, err := exec.CommandContext(t.Context(), shell, "-c", script).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: offers %q, %v, want %s", words, got, err, want)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestVersionNamesTheBuild(t *testing.T) {
	out, code := runTool(t, "--version")
	if code != 0 || !strings.HasPrefix(out, "tool ") || !strings.Contains(out, " go1.") {
		t.Errorf("version exits with %d: %q", code, out)
	}
}

func TestDefaultsFillWhatIsZero(t *testing.T) {
	s := settings{Server: server{Listen: ":1"}}
	config.Defaults(&s)
	if s.Server.Listen != ":1" || s.Server.Parts != 64 || s.Server.Body != 1<<20 || s.Server.Level != "low" {
		t.Errorf("got %+v", s.Server)
	}
}

func TestUnsuitableStructsPanic(t *testing.T) {
	for name, v := range map[string]any{
		"no pointer": server{},
		"nil":        (*server)(nil),
		"bad default": &struct {
			A int `env:"A" default:"x"`
		}{},
		"bad type": &struct {
			A chan int `env:"A" default:"x"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			_, _ = config.Program{}.Load(v)
		}()
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "listen: x", "- a", "listen: &a x\nnats_url: *a", "a: [", "listen: {}\n---\nb: c", "? [a]\n: b",
		"<<: {listen: x}", "&a a: *a", "partitions: 0x10\npin_ttl: 1h\nmax_body: 1e3GB", "bot_token: [1,2]\nlisten: !!binary x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"CHATLANE_CONFIG", "CHATLANE_BOTS_FILE"} {
			_, err := load(t, nil, []string{name + "=" + path})
			var all *config.Error
			if err != nil && (!errors.As(err, &all) || len(all.Problems) == 0) {
				t.Errorf("%s: error %v names no problem", name, err)
			}
		}
	})
}

func ExampleProgram_Load() {
	var cfg struct {
		Listen string `env:"CHATLANE_LISTEN" default:":8080" help:"Address to listen on."`
	}
	_, err := config.Program{Name: "demo", Args: []string{"--listen", ":9000"}}.Load(&cfg)
	fmt.Println(cfg.Listen, err)
	// Output: :9000 <nil>
}

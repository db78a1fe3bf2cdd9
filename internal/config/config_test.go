package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
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
	Server server
	Bots   config.Bots
}

func load(t *testing.T, args, environ []string) (settings, config.Result, error) {
	t.Helper()
	var s settings
	r, err := config.Command{Name: "ingress"}.Load(args, environ, &s)
	return s, r, err
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
	s, _, err := load(t, nil, []string{"CHATLANE_LISTEN=", "HOME=/root"})
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

func TestEnvironmentWinsOverFlagsOverFile(t *testing.T) {
	path := file(t, "chatlane.yaml", "listen: file\npartitions: 1\nchatlane_ratio: 0.1\npprof: on\nallowed_ips: [10.0.0.0/8, telegram]\n")
	s, _, err := load(t,
		[]string{"--config", path, "--listen=flag", "-partitions", "2", "--max-body", "2KiB"},
		[]string{"CHATLANE_LISTEN=env", "OTEL_SERVICE_NAME=x"})
	if err != nil {
		t.Fatal(err)
	}
	want := server{
		Listen: "env", NATS: "nats://127.0.0.1:4222", TTL: 2 * time.Second, Parts: 2, Ratio: 0.1, Pprof: true,
		Body: 2048, Allowed: []string{"10.0.0.0/8", "telegram"}, Level: "low", Service: "x",
	}
	if diff := cmp.Diff(want, s.Server); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
}

func TestPresetsStandInForDefaults(t *testing.T) {
	s := server{Listen: "127.0.0.1:0"}
	r, err := config.Command{Name: "dev"}.Load([]string{"--help"}, nil, &s)
	if err != nil || s.Listen != "127.0.0.1:0" || !strings.Contains(r.Print, "CHATLANE_LISTEN (127.0.0.1:0)") {
		t.Errorf("listen is %q, help says:\n%s(%v)", s.Listen, r.Print, err)
	}
}

func TestOneNameFillsEveryFieldOfThatName(t *testing.T) {
	var a, b server
	if _, err := (config.Command{}).Load(nil, []string{"CHATLANE_LISTEN=:1"}, &a, &b); err != nil {
		t.Fatal(err)
	}
	if a.Listen != ":1" || b.Listen != ":1" {
		t.Errorf("listen is %q and %q, want :1 twice", a.Listen, b.Listen)
	}
}

func TestListsComeByCommaAndByRepetition(t *testing.T) {
	s, _, err := load(t, []string{"--allowed-ips", "a, b", "--allowed-ips=c,", "--pprof", "--listen=x", "--listen=y"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, s.Server.Allowed); diff != "" || !s.Server.Pprof || s.Server.Listen != "y" {
		t.Errorf("pprof %v, listen %q, list (-want +got):\n%s", s.Server.Pprof, s.Server.Listen, diff)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	path := file(t, "c.yaml", "partitions: [1, 2]\nlissten: x\nratio: {a: b}\nlevel: mid\n")
	_, r, err := load(t,
		[]string{"--pin-ttl=2", "--nope", "stray", "--max-boddy=1", "--bot-token"},
		[]string{
			"CHATLANE_CONFIG=" + path, "CHATLANE_PPROF=maybe", "CHATLANE_MAX_BODY=huge",
			"CHATLANE_PARTITION=3", "CHATLANE_REDIS_URL=redis://h", "CHATLANE_WORKER_SERVICE_HOST=10.0.0.1",
			"CHATLANE_INGRESS_PORT_8080_TCP=tcp://10.0.0.1:8080",
		})
	wantProblems(t, err,
		`--nope: no such flag`,
		`--max-boddy: no such flag; did you mean --max-body?`,
		`--bot-token: a value must follow`,
		`argument without a name; settings are given as --name=value`,
		`c.yaml:2: "lissten": no such key; did you mean listen?`,
		`CHATLANE_RATIO (c.yaml:3): holds a mapping; give one value or a list of them`,
		`CHATLANE_PIN_TTL (--pin-ttl): "2" is no duration; set it like 2s`,
		`CHATLANE_PARTITIONS (c.yaml:1): a list of 2 values is set; give one`,
		`CHATLANE_PPROF: "maybe" is neither true nor false; set it like true or false`,
		`CHATLANE_MAX_BODY: "huge" is no size; set it like 1MiB`,
		`CHATLANE_LEVEL (c.yaml:4): "mid": want low or high`,
		`CHATLANE_PARTITION: no such variable; did you mean CHATLANE_PARTITIONS?`,
	)
	if diff := cmp.Diff([]string{"not used here: CHATLANE_REDIS_URL"}, r.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestValidationReportsWhatParsingLetPass(t *testing.T) {
	_, _, err := load(t, nil, []string{"CHATLANE_PARTITIONS=-1", "CHATLANE_PIN_TTL=fast"})
	wantProblems(t, err,
		`CHATLANE_PIN_TTL: "fast" is no duration; set it like 2s`,
		`CHATLANE_PARTITIONS must be 1 to 1024, such as 64`,
	)
}

func TestArgumentsFollowTheFlagsWhereTaken(t *testing.T) {
	var s server
	r, err := config.Command{Args: "<id>..."}.Load([]string{"7", "--pprof", "8", "--", "--9"}, nil, &s)
	if diff := cmp.Diff([]string{"7", "8", "--9"}, r.Args); diff != "" || err != nil || !s.Pprof {
		t.Errorf("pprof %v, error %v, arguments (-want +got):\n%s", s.Pprof, err, diff)
	}
}

func TestSecretsAreReadFromFiles(t *testing.T) {
	path := file(t, "url", "nats://u:p@host:4222\n")
	for _, how := range []struct{ args, environ []string }{
		{environ: []string{"CHATLANE_NATS_URL_FILE=" + path}},
		{args: []string{"--nats-url-file", path}},
		{args: []string{"--config", file(t, "c.yaml", "nats_url_file: "+path)}},
	} {
		s, _, err := load(t, how.args, how.environ)
		if err != nil || s.Server.NATS != "nats://u:p@host:4222" {
			t.Errorf("%v: url %q, error %v", how, s.Server.NATS, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	_, _, err := load(t, nil, []string{"CHATLANE_NATS_URL_FILE=" + missing})
	wantProblems(t, err, "CHATLANE_NATS_URL: its file: "+missing+": no such file or directory")
	_, _, err = load(t, nil, []string{"CHATLANE_NATS_URL_FILE=" + path, "CHATLANE_NATS_URL=x"})
	wantProblems(t, err, "CHATLANE_NATS_URL: CHATLANE_NATS_URL_FILE is set too; set one of them")
}

func TestHelpListsEverySetting(t *testing.T) {
	var s settings
	r, err := config.Command{
		Name: "ingress", About: "Receives Telegram's webhook requests.", Notes: "OTEL_* variables hold too.",
	}.Load([]string{"--bad", "--help"}, []string{"CHATLANE_LISTEN=:1"}, &s)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "help.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(r.Print), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), r.Print); diff != "" {
		t.Errorf("help (-want +got):\n%s", diff)
	}
}

func TestVersionNamesTheBuild(t *testing.T) {
	_, r, err := load(t, []string{"--version"}, []string{"CHATLANE_PPROF=bad"})
	if err != nil || !strings.HasPrefix(r.Print, "ingress ") || !strings.Contains(r.Print, " go1.") {
		t.Errorf("version says %q (%v)", r.Print, err)
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
			_, _ = config.Command{}.Load(nil, nil, v)
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
			_, _, err := load(t, nil, []string{name + "=" + path})
			var all *config.Error
			if err != nil && (!errors.As(err, &all) || len(all.Problems) == 0) {
				t.Errorf("%s: error %v names no problem", name, err)
			}
		}
	})
}

func ExampleCommand_Load() {
	var cfg struct {
		Listen string `env:"CHATLANE_LISTEN" default:":8080" help:"Address to listen on."`
	}
	_, err := config.Command{Name: "demo"}.Load([]string{"--listen", ":9000"}, nil, &cfg)
	fmt.Println(cfg.Listen, err)
	// Output: :9000 <nil>
}

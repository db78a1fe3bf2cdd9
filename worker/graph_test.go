package worker

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
)

var writeGolden = flag.Bool("update", false, "write the golden files anew")

// An author's own worker draws its own bot.
func TestAWorkerPrintsTheGraphOfItsBot(t *testing.T) {
	const asked, done bot.State = "poll:asked", "poll:done"
	r := bot.New("mybot")
	nothing := func(context.Context, *bot.Turn) error { return nil }
	r.Message(nothing, bot.Command("poll")).To(asked)
	r.Message(nothing, bot.InState(asked), bot.Plain()).To(done)
	r.Callback(nothing, bot.InState(done), bot.Pressed("ok")).To(bot.None)
	for name, args := range map[string][]string{
		"graph.mermaid": {"graph"},
		"graph.dot":     {"graph", "--format", "dot"},
	} {
		var stdout, stderr bytes.Buffer
		if code := program(r, args, nil, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
			t.Errorf("%v exits with %d: %s", args, code, &stderr)
		}
		golden(t, name, stdout.String())
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := program(bot.New("mybot"), []string{"graph", "--format=png"}, nil, &stdout, &stderr)
	if want := "worker: --format: \"png\" is no format of graphs; want mermaid or dot (see --help)\n"; stderr.String() != want || code != 2 || stdout.Len() > 0 {
		t.Errorf("exit %d: %s", code, &stderr)
	}
	if code := program(bot.New("mybot"), []string{"graph", "--help"}, nil, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "CHATLANE_FORMAT") {
		t.Errorf("help exits with %d:\n%s", code, &stdout)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *writeGolden {
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

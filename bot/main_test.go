package bot_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/bot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// compiled is the program of a router that has no mistakes.
func compiled(tb testing.TB, r *bot.Router) *bot.Program {
	tb.Helper()
	p, err := r.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// wantMistakes wants Compile to refuse a router, for all of these reasons.
func wantMistakes(t *testing.T, r *bot.Router, reasons ...string) {
	t.Helper()
	p, err := r.Compile()
	if err == nil || p != nil {
		t.Errorf("router %q compiles to %v", r.Name(), p)
		return
	}
	for _, want := range reasons {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Compile returns %q, want %q", err, want)
		}
	}
}

package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

func TestCommandsAreThoseThatTelegramMarks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"/a":                      {"/a"},
		"try /a or /b@test_bot.":  {"/a", "/b@test_bot"},
		"/a/b x/c </d> //e (/f)":  {"/f"},
		"/a\u00a0/b\n/c🍕/d é/e":   {"/a", "/b", "/c", "/d"},
		"/помощь /_ /A1 /a@b / /": {"/_", "/A1"},
	} {
		var got []string
		rules.Commands(text, func(start, end int) { got = append(got, text[start:end]) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

package rules_test

import (
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

func TestMarksAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mode, text, want string }{
		{"", "<b>x & <", "<b>x & <"},
		{"HTML", "<b>a <i>b</i></b> & &lt;c&gt; &#x21; &copy; &", "a b & <c> ! &copy; &"},
		{"HTML", `<a href="https://example.org/?a=1&b=2">x</a><tg-spoiler>y</tg-spoiler><span class="tg-spoiler">z</span>`, "xyz"},
		{"HTML", "<blockquote expandable>q</blockquote><B>X</b>", "qX"},
		{"MarkdownV2", `*bold _it_* __un__ ~st~ ||sp|| \.\!`, "bold it un st sp .!"},
		{"MarkdownV2", "[a\\.b](https://example.org/a_b) ![x](tg://emoji?id=5) `co*de` ```go\na-b```", "a.b x co*de go\na-b"},
		{"MarkdownV2", ">quote\n>more||\ntext", "quote\nmore\ntext"},
		{"MarkdownV2", "**>wide\n>more", "wide\nmore"},
		{"markdown", "*b* _i_ `c` [t](u) \\_ 1.", "b i c t _ 1."},
	} {
		if got, err := rules.Parse(c.text, c.mode); err != nil || got.Text != c.want {
			t.Errorf("%s %q: %q, %v, want %q", c.mode, c.text, got.Text, err, c.want)
		}
	}
	for _, c := range []struct{ mode, text string }{
		{"HTML", "<b>x & <"},
		{"HTML", "a < b"},
		{"HTML", "<b>x"},
		{"HTML", "<b>x</i>"},
		{"HTML", "x</b>"},
		{"HTML", "<div>x</div>"},
		{"HTML", "x <"},
		{"HTML", "<span>x</span>"},
		{"HTML", "<br>"},
		{"MarkdownV2", "a.b"},
		{"MarkdownV2", "*x"},
		{"MarkdownV2", "a - b"},
		{"MarkdownV2", "_x__"},
		{"MarkdownV2", "[a](b"},
		{"MarkdownV2", "a > b"},
		{"MarkdownV2", "```x"},
		{"MarkdownV2", "a | b"},
		{"MarkdownV2", "hi!"},
		{"Markdown", "snake_case"},
		{"Markdown", "[x"},
		{"Markdown", "`x"},
		{"rtf", "x"},
	} {
		if got, err := rules.Parse(c.text, c.mode); err == nil {
			t.Errorf("%s %q is read as %q", c.mode, c.text, got.Text)
		}
	}
}

func TestTextsOfOneLookAreEqual(t *testing.T) {
	t.Parallel()
	bold, _ := rules.Parse("<b>x</b> y", "HTML")
	for text, want := range map[string]bool{"<b>x</b> y": true, "<b>x</b> &#121;": true, "x y": false, "<i>x</i> y": false, "<b>x y</b>": false} {
		if got, err := rules.Parse(text, "HTML"); err != nil || (got == bold) != want {
			t.Errorf("%q looks the same: %v, %v", text, got == bold, err)
		}
	}
}

func TestLengthsAreThoseOfTelegram(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "🍕": 2, "\xff": 1} {
		if got := rules.Length(text); got != want {
			t.Errorf("%q has length %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]bool{"": true, " \n\t": true, "\u00a0\u3000\u200b\u2800\ufeff": true, "x": false, "🍕": false, ".": false} {
		if got := rules.IsBlank(text); got != want {
			t.Errorf("%q is blank: %v", text, got)
		}
	}
}

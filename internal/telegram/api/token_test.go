package api_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

const (
	secretPart = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
	tokenText  = "4242424242:" + secretPart
	tokenBot   = 4242424242
)

func token(tb testing.TB) api.Token {
	tb.Helper()
	t, err := api.ParseToken(tokenText)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestTokenShowsItselfNowhere(t *testing.T) {
	type holder struct {
		Token  api.Token
		hidden api.Token // fmt reads these, too, and asks no method
		Ptr    *api.Token
		Many   []api.Token
	}
	tok := token(t)
	h := holder{tok, tok, &tok, []api.Token{tok}}
	var out bytes.Buffer
	for _, v := range []any{tok, &tok, h, &h, []any{tok}, map[string]api.Token{"a": tok}, fmt.Errorf("x %v", tok), errors.Join(fmt.Errorf("%+v", h))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T", "%p", "%t"} {
			_, _ = fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, log := range []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))} {
			log.Info("x", slog.Any("v", v), slog.Any("token", tok))
		}
		j, _ := json.Marshal(v)
		out.Write(j)
	}
	x, _ := xml.Marshal(tok)
	out.Write(x)
	if s := out.String(); strings.Contains(s, secretPart) || strings.Contains(strings.ToLower(s), fmt.Sprintf("%x", secretPart)) {
		t.Error("the token is in what was printed")
	}
	if s := fmt.Sprint(tok); s != "[redacted]" || tok.String() != s {
		t.Errorf("prints %q", s)
	}
	if tok.Bot() != tokenBot || (api.Token{}).Bot() != 0 {
		t.Errorf("bot %d, want %d", tok.Bot(), tokenBot)
	}
	_ = h.hidden
}

func TestParseTokenRefusesWithoutShowingIt(t *testing.T) {
	for _, text := range []string{"", ":", "1:", ":abc", "x:abc", "0:abc", "-1:abc", "1:a b", "1:a/b", "1:a\n", "9999999999999999999:abc", "1:" + strings.Repeat("a", 129)} {
		_, err := api.ParseToken(text)
		if !errors.Is(err, api.ErrToken) || strings.Contains(err.Error(), "abc") {
			t.Errorf("token %q: %v", text, err)
		}
	}
}

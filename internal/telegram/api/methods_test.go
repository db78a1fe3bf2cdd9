package api_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

// Telegram finds a method whatever the case of its letters.
func TestMethodsMatchWithoutRegardToCase(t *testing.T) {
	for name, want := range map[string]string{
		"sendMessage": "sendMessage", "sendmessage": "sendMessage", "SENDMESSAGE": "sendMessage", "GetMe": "getMe",
		"SendHologram": "sendHologram", "GETHOLOGRAM": "getHOLOGRAM", "hologram": "hologram", "": "",
	} {
		if got := api.Method(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if !api.IsMethod("SENDINVOICE") || api.IsMethod("hologram") {
		t.Error("IsMethod goes by case")
	}
}

func TestLimitsJournalAndAtMostOnceGoByNoCase(t *testing.T) {
	a, l, b := start(t, say(200, sent)), &watch{}, newBook()
	c := a.client(api.Config{AtMostOnce: []string{"SENDinvoice"}}, l)
	calls := c.Turn(token(t), b, nil)
	for _, method := range []string{"SENDMESSAGE", "sendINVOICE"} {
		if _, err := calls.Call(t.Context(), method, text(5, "x")); a.met(err) != nil {
			t.Fatal(err)
		}
	}
	if len(l.waits) != 2 || len(b.entries) != 2 {
		t.Errorf("%d calls were limited, %d entries written, want 2 each", len(l.waits), len(b.entries))
	}
	for _, method := range []string{"sendmessage", "SendInvoice"} { // the next attempt
		calls = c.Turn(token(t), b.loaded(), nil)
		if method == "SendInvoice" {
			_, _ = calls.Call(t.Context(), "sendMessage", text(5, "x"))
		}
		if _, err := calls.Call(t.Context(), method, text(5, "x")); a.met(err) != nil {
			t.Error(err)
		}
	}
	if n := len(a.requests()); n != 2 || a.requests()[0].method != "sendMessage" {
		t.Errorf("%d requests, want 2: the journal goes by case", n)
	}
}

func TestAtMostOnceOfTheSettingGoesByNoCase(t *testing.T) {
	a := start(t, func(w http.ResponseWriter, _ int, _ seen) { hangUp(w, "") })
	c := a.client(api.Config{AtMostOnce: []string{"SENDinvoice"}}, nil)
	for _, method := range []string{"sendInvoice", "SENDINVOICE", "sendinvoice"} {
		_, err := c.Turn(token(t), newBook(), nil).Call(t.Context(), method, text(5, "x"))
		if a.met(err) == nil || !errors.Is(err, api.ErrMaybeSent) {
			t.Errorf("%s: %v, want an error that it may have been sent", method, err)
		}
	}
}

func TestSecretsInResultsAreNotJournaled(t *testing.T) {
	const secret = "77:SECRETSECRETSECRETSECRETSECRETSECRE"
	a := start(t, say(200, `{"ok":true,"result":"`+secret+`"}`))
	c := a.client(api.Config{}, nil)
	for _, method := range []string{"replaceManagedBotToken", "REPLACEmanagedbottoken", "getManagedBotToken"} {
		b := newBook()
		got, err := c.Turn(token(t), b, nil).Call(t.Context(), method, map[string]any{"user_id": 77})
		if err != nil || string(got) != `"`+secret+`"` {
			t.Errorf("%s gave %s, %v", method, got, err)
		}
		for _, entry := range b.entries {
			t.Errorf("%s: the journal keeps %q", method, entry)
		}
	}
}

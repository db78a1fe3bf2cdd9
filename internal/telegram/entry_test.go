package telegram_test

import (
	"bytes"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram"
)

// Whatever is in the journal, reading it does no harm, and what is read is written
// back as it was understood.
func FuzzJournalEntry(f *testing.F) {
	head := "0123456789abcdef"
	for _, s := range []string{
		"\x01r" + head + `{"message_id":7}`, "\x01r" + head, "\x01i" + head, "\x01v" + head,
		"\x01n" + head + `{"m":"sendMessage","c":403,"d":"Forbidden"}`, "\x01n" + head + `{"m":"x","c":400,"to":-1005,"after":3}`,
		"", "\x01", "\x02r" + head + "{}", "\x01x" + head, "\x01i" + head + "x", "\x01n" + head + "null", "\x01r" + head + "{",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := telegram.DecodeEntry(b)
		if err != nil {
			return
		}
		again, err := telegram.EncodeEntry(e)
		if err != nil {
			t.Fatal(err)
		}
		e2, err := telegram.DecodeEntry(again)
		if err != nil {
			t.Fatalf("%q is written as %q, which cannot be read", b, again)
		}
		third, err := telegram.EncodeEntry(e2)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%q, then %q", again, third)
		}
	})
}

func TestForeignEntriesAreNoneOfOurs(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{}, nil)
	j := newBook()
	j.entries[0] = []byte("\x09 what a later version writes")
	result, err := c.Turn(token(t), j, nil).Call(t.Context(), "sendMessage", text(5, "x"))
	if id(t, result, err) != 1 || string(j.entries[0][:1]) != "\x09" {
		t.Error("an entry of another version was taken for ours, or overwritten")
	}
}

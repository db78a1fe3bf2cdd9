package journal_test

import (
	"bytes"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// Whatever is in the journal, reading it does no harm, and what is read is written
// back as it was understood.
func FuzzJournalEntry(f *testing.F) {
	head := "0123456789abcdef"
	for _, s := range []string{
		"\x01r" + head + `{"message_id":7}`, "\x01r" + head, "\x01i" + head, "\x01v" + head,
		"\x01n" + head + `{"m":"sendMessage","c":403,"d":"Forbidden"}`, "\x01n" + head + `{"m":"x","c":400,"to":-1005,"after":3}`,
		"\x02r" + head + "\x00\x00\x00\x01\x8b\xcf\xe5\x68\x00\x04sendtrue", "\x02r" + head + "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x02i" + head + "\x02\x00",
		"", "\x01", "\x02r" + head + "{}", "\x01x" + head, "\x01i" + head + "x", "\x01n" + head + "null", "\x01r" + head + "{",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := journal.Decode(b)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e2, err := journal.Decode(again)
		if err != nil {
			t.Fatalf("%q is written as %q, which cannot be read", b, again)
		}
		third, err := e2.Encode()
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%q, then %q", again, third)
		}
	})
}

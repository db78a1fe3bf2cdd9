package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

func encoded(t *testing.T, e journal.Entry) []byte {
	t.Helper()
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// An entry of the version before answers its call as it did.
func TestEntryOfVersionOneIsRead(t *testing.T) {
	e, err := journal.Decode([]byte("\x01r0123456789abcdef" + `{"message_id":7}`))
	if err != nil || e.Status != journal.Result || string(e.Result) != `{"message_id":7}` || e.Name != "" || !e.At.IsZero() {
		t.Errorf("read as %+v, %v", e, err)
	}
}

// An entry of a newer release is told from one that is damaged.
func TestEntryOfANewerReleaseIsKnown(t *testing.T) {
	for raw, newer := range map[string]bool{"\x03r0123456789abcdef": true, "\x1f": true, "garbage": false, "": false, "\x00": false} {
		if _, err := journal.Decode([]byte(raw)); err == nil || errors.Is(err, journal.ErrNewer) != newer {
			t.Errorf("%q: %v, want of a newer release: %v", raw, err, newer)
		}
	}
}

// What a letter keeps is what its update had, without the pipeline's own entries.
func TestKeptJournalComesBack(t *testing.T) {
	want := journal.Kept{
		Turn:       map[int][]byte{0: []byte("zero"), 1: {}, 300: []byte(strings.Repeat("x", 5000))},
		Urgent:     map[int][]byte{2: []byte("two")},
		UrgentDone: true,
	}
	stored := want
	stored.Turn = map[int][]byte{-1: []byte("starts"), 0: want.Turn[0], 1: want.Turn[1], 300: want.Turn[300]}
	raw := stored.Encode()
	got, err := journal.DecodeKept(raw)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if len(raw) > 200 {
		t.Errorf("%d bytes, want fewer: it is compressed", len(raw))
	}
	if raw := (journal.Kept{}).Encode(); raw != nil {
		t.Errorf("an empty journal has %d bytes, want none", len(raw))
	}
}

// A worker of this release waits for one that can read it, and does not use up attempts.
func TestKeptJournalOfANewerReleaseIsKnown(t *testing.T) {
	raw := journal.Kept{UrgentDone: true}.Encode()
	raw[0]++
	if _, err := journal.DecodeKept(raw); !errors.Is(err, journal.ErrNewer) {
		t.Errorf("a newer version: %v, want ErrNewer", err)
	}
	raw[0] = 0
	if _, err := journal.DecodeKept(raw); err == nil || errors.Is(err, journal.ErrNewer) {
		t.Errorf("a version that never was: %v, want another error", err)
	}
}

// What a person sees of a result has no text of it.
func TestDoneShowsNoTextOfResults(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	entries := make(map[int][]byte)
	for i, result := range []string{
		`{"message_id":7,"text":"private"}`, `[{"message_id":7},{"message_id":8}]`, `true`, `"private"`, `12.50`, `{"private":1}`, `[1,2]`, `null`, ``,
	} {
		entries[i] = encoded(t, journal.Entry{Status: journal.Result, Name: "m", At: at, Result: json.RawMessage(result)})
	}
	entries[20] = encoded(t, journal.Entry{Status: journal.Result, Name: strings.Repeat("é", 60), Step: true, At: at, Result: json.RawMessage("1")})
	entries[21] = encoded(t, journal.Entry{Status: journal.Intent, Name: "sendInvoice", At: at})
	entries[22] = encoded(t, journal.Entry{Status: journal.Void, Name: "sendInvoice", At: at})
	entries[23] = []byte("?")
	var got []string
	for _, d := range (journal.Kept{Turn: entries}).Done() {
		got = append(got, fmt.Sprintf("%s%s: %s", d.Method, d.Step, d.Result))
		if d.At != at && d.Method+d.Step != "" {
			t.Errorf("%s at %s, want %s", d.Method, d.At, at)
		}
	}
	want := []string{
		"m: message 7", "m: messages 7, 8", "m: true", "m: text of 9 bytes", "m: 12.50", "m: object of 13 bytes", "m: list of 2 in 5 bytes", "m: null", "m: nothing",
		strings.Repeat("é", 32) + ": 1", "sendInvoice: may have been sent", ": entry is not readable by this version",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever a message carries as a journal, reading it does no harm.
func FuzzKeptJournal(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte{2, 0})
	f.Add(journal.Kept{Turn: map[int][]byte{0: []byte("x")}, UrgentDone: true}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := journal.DecodeKept(b)
		if err != nil {
			return
		}
		_ = k.Done()
		again, err := journal.DecodeKept(k.ForReplay().Encode())
		if err != nil || len(again.Turn) != len(k.Turn) || len(again.Urgent) != len(k.Urgent) {
			t.Errorf("%+v came back as %+v, %v", k, again, err)
		}
	})
}

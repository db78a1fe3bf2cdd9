package telegram

// What tests outside need of the journal's encoding.
var (
	EncodeEntry = func(e Entry) ([]byte, error) { return entry(e).encode() }
	DecodeEntry = func(b []byte) (Entry, error) { e, err := decodeEntry(b); return Entry(e), err }
	Methods     = methods
	IsSending   = isSending
)

// Entry is an entry of the journal.
type Entry entry

package journal

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// An entry is stored as version, status and digest, then a result's JSON as it came, or a refusal as JSON.
const (
	entryVersion = 1
	digestLen    = 16
	entryHead    = 2 + digestLen
)

// Status says how far a call had come.
type Status byte

// The statuses of an entry.
const (
	Intent  Status = 'i' // at-most-once: about to be sent
	Void    Status = 'v' // an intent that was withdrawn: the call was certainly not sent
	Result  Status = 'r'
	Refused Status = 'n'
)

// Digest identifies a call by method, parameters and files.
type Digest [digestLen]byte

// DigestOf hashes what is sent. A nil files means no upload.
func DigestOf(method string, params, files []byte) Digest {
	h := sha256.New()
	_, _ = h.Write([]byte(method))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(params)
	if files != nil {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write(files)
	}
	return Digest(h.Sum(nil)[:digestLen])
}

// Entry is one call in the journal.
type Entry struct {
	Digest  Digest
	Status  Status
	Result  json.RawMessage
	Refusal *Refusal
}

// Refusal is a final refusal by the Bot API.
type Refusal struct {
	Method      string
	Code        int
	Description string
	RetryAfter  time.Duration
	MigrateTo   int64
}

type storedRefusal struct {
	Method      string `json:"m"`
	Code        int    `json:"c"`
	Description string `json:"d,omitempty"`
	MigrateTo   int64  `json:"to,omitempty"`
	RetryAfter  int64  `json:"after,omitempty"` // seconds
}

var errEntry = errors.New("journal entry is not one that this version writes")

// Encode gives the stored form.
func (e Entry) Encode() ([]byte, error) {
	b := make([]byte, 0, entryHead+len(e.Result))
	b = append(b, entryVersion, byte(e.Status))
	b = append(b, e.Digest[:]...)
	switch e.Status {
	case Result:
		b = append(b, e.Result...)
	case Refused:
		r, err := json.Marshal(storedRefusal{
			e.Refusal.Method, e.Refusal.Code, e.Refusal.Description, e.Refusal.MigrateTo, int64(e.Refusal.RetryAfter / time.Second),
		})
		if err != nil {
			return nil, err
		}
		b = append(b, r...)
	case Intent, Void:
	}
	return b, nil
}

// Decode reads the stored form and keeps nothing of b.
func Decode(b []byte) (Entry, error) {
	if len(b) < entryHead || b[0] != entryVersion {
		return Entry{}, errEntry
	}
	e := Entry{Status: Status(b[1]), Digest: Digest(b[2:entryHead])}
	rest := b[entryHead:]
	switch e.Status {
	case Intent, Void:
		if len(rest) != 0 {
			return Entry{}, errEntry
		}
	case Result:
		if len(rest) != 0 && !json.Valid(rest) {
			return Entry{}, errEntry
		}
		e.Result = slices.Clone(rest)
	case Refused:
		var r storedRefusal
		if err := json.Unmarshal(rest, &r); err != nil || r.Code < 300 || r.Code > 999 {
			return Entry{}, errEntry
		}
		after := time.Duration(min(max(r.RetryAfter, 0), 24*3600)) * time.Second
		e.Refusal = &Refusal{Method: r.Method, Code: r.Code, Description: r.Description, MigrateTo: r.MigrateTo, RetryAfter: after}
	default:
		return Entry{}, errEntry
	}
	return e, nil
}

package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// An entry is stored as: version, status, digest, kind, time in Unix milliseconds (8 bytes), length of the name
// (1 byte), name; then a result's JSON as it came, or a refusal as JSON. Version 1 has nothing between digest and result.
const (
	entryVersion = 2
	lastVersion  = 0x20 // what begins with a larger byte is damaged, and not of a newer release
	digestLen    = 16
	entryHead    = 2 + digestLen
	entryAbout   = 1 + 8 + 1
	maxName      = 64 // bytes of a name; a longer one is cut

	kindCall = 0
	kindStep = 1
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
	Name    string    // the call's method or the step's key, for people; empty in an entry of version 1
	Step    bool      // a step that is no call
	At      time.Time // when it was recorded; zero in an entry of version 1
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

// ErrNewer means that a newer release wrote an entry. The call may be done, so its turn waits for a worker of that
// release.
var ErrNewer = errors.New("journal entry is of a newer release")

var errEntry = errors.New("journal entry is not one that this version writes")

// Encode gives the stored form.
func (e Entry) Encode() ([]byte, error) {
	name := clipName(e.Name)
	b := make([]byte, 0, entryHead+entryAbout+len(name)+len(e.Result))
	b = append(b, entryVersion, byte(e.Status))
	b = append(b, e.Digest[:]...)
	b = append(b, kind(e.Step))
	var ms uint64
	if !e.At.IsZero() {
		ms = uint64(e.At.UnixMilli())
	}
	b = binary.BigEndian.AppendUint64(b, ms)
	b = append(append(b, byte(len(name))), name...)
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
	if len(b) > 0 && b[0] > entryVersion && b[0] < lastVersion {
		return Entry{}, ErrNewer
	}
	if len(b) < entryHead || b[0] < 1 {
		return Entry{}, errEntry
	}
	e := Entry{Status: Status(b[1]), Digest: Digest(b[2:entryHead])}
	rest, ok := readAbout(&e, b[0], b[entryHead:])
	if !ok {
		return Entry{}, errEntry
	}
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

// readAbout reads what version 2 has between the digest and the result.
func readAbout(e *Entry, version byte, b []byte) (rest []byte, ok bool) {
	if version == 1 {
		return b, true
	}
	if len(b) < entryAbout || b[0] > kindStep || int(b[9]) > min(maxName, len(b)-entryAbout) {
		return nil, false
	}
	e.Step = b[0] == kindStep
	if ms := binary.BigEndian.Uint64(b[1:9]); ms != 0 {
		e.At = time.UnixMilli(int64(ms))
	}
	end := entryAbout + int(b[9])
	e.Name = string(b[entryAbout:end])
	return b[end:], true
}

func kind(step bool) byte {
	if step {
		return kindStep
	}
	return kindCall
}

func clipName(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "")
}

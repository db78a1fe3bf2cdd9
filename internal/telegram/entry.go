package telegram

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// An entry of the journal is: version, status, digest of the call, then for a result
// the JSON as it came, for a refusal the refusal as JSON, for an intent nothing.
const (
	entryVersion = 1
	digestLen    = 16
	entryHead    = 2 + digestLen
)

// status says how far a call had come.
type status byte

const (
	statusIntent  status = 'i' // at-most-once: about to be sent
	statusVoid    status = 'v' // an intent taken back: it was not sent for sure
	statusResult  status = 'r'
	statusRefusal status = 'n'
)

// digest tells one call from another: method, parameters, files.
type digest [digestLen]byte

// entry is one call in the journal.
type entry struct {
	digest  digest
	status  status
	result  json.RawMessage
	refusal *Error
}

// refusal is the form of an Error in the journal.
type refusal struct {
	Method      string `json:"m"`
	Code        int    `json:"c"`
	Description string `json:"d,omitempty"`
	MigrateTo   int64  `json:"to,omitempty"`
	RetryAfter  int64  `json:"after,omitempty"` // seconds
}

var errEntry = errors.New("journal entry is not one that this version writes")

func (e entry) encode() ([]byte, error) {
	b := make([]byte, 0, entryHead+len(e.result))
	b = append(b, entryVersion, byte(e.status))
	b = append(b, e.digest[:]...)
	switch e.status {
	case statusResult:
		b = append(b, e.result...)
	case statusRefusal:
		r, err := json.Marshal(refusal{
			e.refusal.Method, e.refusal.Code, e.refusal.Description, e.refusal.MigrateTo, int64(e.refusal.RetryAfter / time.Second),
		})
		if err != nil {
			return nil, err
		}
		b = append(b, r...)
	case statusIntent, statusVoid:
	}
	return b, nil
}

func decodeEntry(b []byte) (entry, error) {
	if len(b) < entryHead || b[0] != entryVersion {
		return entry{}, errEntry
	}
	e := entry{status: status(b[1]), digest: digest(b[2:entryHead])}
	rest := b[entryHead:]
	switch e.status {
	case statusIntent, statusVoid:
		if len(rest) != 0 {
			return entry{}, errEntry
		}
	case statusResult:
		if len(rest) != 0 && !json.Valid(rest) {
			return entry{}, errEntry
		}
		e.result = slices.Clone(rest)
	case statusRefusal:
		var r refusal
		if err := json.Unmarshal(rest, &r); err != nil || r.Code < 300 || r.Code > 999 {
			return entry{}, errEntry
		}
		e.refusal = &Error{Method: r.Method, Code: r.Code, Description: r.Description, MigrateTo: r.MigrateTo, RetryAfter: seconds(r.RetryAfter)}
	default:
		return entry{}, errEntry
	}
	return e, nil
}

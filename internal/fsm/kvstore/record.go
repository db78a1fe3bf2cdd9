package kvstore

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/chatlane/chatlane/internal/fsm"
)

type record struct {
	V      int    `json:"v"`
	Holder string `json:"holder,omitempty"` // token of the session that holds it

	// Of a lane.
	Stream  int64    `json:"stream,omitempty"`
	Cursor  uint64   `json:"cursor,omitempty"`
	By      string   `json:"by,omitempty"` // token of the session that committed last
	Seen    seen     `json:"seen,omitempty"`
	Journal *journal `json:"journal,omitempty"`

	// Of a state.
	State string            `json:"state,omitempty"`
	Data  []byte            `json:"data,omitempty"`
	Meta  []byte            `json:"meta,omitempty"`
	Marks map[string]string `json:"marks,omitempty"` // by lane: the turn whose step 1 wrote this
}

type journal struct {
	At       string        `json:"at"`
	Attempts int           `json:"attempts,omitempty"`
	Entries  map[int]entry `json:"entries,omitempty"`
}

// entry is an entry's data, or its own key.
type entry struct {
	Data []byte `json:"data,omitempty"`
	Key  string `json:"key,omitempty"`
}

const inlineMax = 32 << 10 // bytes of journal entries in a lane's record

func (j *journal) size() int {
	n := 0
	for _, e := range j.Entries {
		n += len(e.Data)
	}
	return n
}

func (j *journal) with(index int, e entry) *journal {
	next := &journal{At: j.At, Attempts: j.Attempts, Entries: maps.Clone(j.Entries)}
	if next.Entries == nil {
		next.Entries = make(map[int]entry)
	}
	next.Entries[index] = e
	return next
}

// of returns the journal if it is of that position, else a new one.
func (j *journal) of(at string) *journal {
	if j != nil && j.At == at {
		return j
	}
	return &journal{At: at}
}

func (r record) gone() bool {
	return r.State == "" && len(r.Data) == 0 && len(r.Marks) == 0 && r.Holder == ""
}

func (r record) encode() []byte {
	r.V = fsm.Schema
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, numbers and bytes always encode
	}
	return raw
}

func decode(raw []byte) (record, error) {
	if len(raw) == 0 {
		return record{}, nil
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%w: %w: %w", fsm.ErrUnavailable, fsm.ErrUnreadable, err)
	}
	if r.V > fsm.Schema {
		return r, fmt.Errorf("%w: %w: schema version %d, this worker knows %d", fsm.ErrUnavailable, fsm.ErrUnreadable, r.V, fsm.Schema)
	}
	return r, nil
}

package kvstore

import (
	"encoding/binary"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

// seen is the update ids with the broker's time of each, in the order of commits, as varints of differences.
type seen []byte

type seenID struct{ id, ms int64 }

func (s seen) list() []seenID {
	var all []seenID
	var last seenID
	for len(s) > 0 {
		id, n := binary.Varint(s)
		if n <= 0 {
			return all
		}
		ms, m := binary.Varint(s[n:])
		if m <= 0 {
			return all
		}
		last = seenID{last.id + id, last.ms + ms}
		all, s = append(all, last), s[n+m:]
	}
	return all
}

func encodeSeen(all []seenID) seen {
	b := make([]byte, 0, 6*len(all))
	var last seenID
	for _, v := range all {
		b = binary.AppendVarint(b, v.id-last.id)
		b = binary.AppendVarint(b, v.ms-last.ms)
		last = v
	}
	return b
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (s seen) has(at fsm.Position, window time.Duration) bool {
	if at.Update == 0 {
		return false
	}
	oldest := millis(at.Stored) - window.Milliseconds()
	for _, v := range s.list() {
		if v.id == at.Update && v.ms >= oldest {
			return true
		}
	}
	return false
}

// with adds an id and drops those that are too old or too many.
func (s seen) with(at fsm.Position, window time.Duration, limit int) seen {
	if at.Update == 0 {
		return s
	}
	oldest := millis(at.Stored) - window.Milliseconds()
	var keep []seenID
	for _, v := range s.list() {
		if v.ms >= oldest && v.id != at.Update {
			keep = append(keep, v)
		}
	}
	keep = append(keep, seenID{at.Update, millis(at.Stored)})
	return encodeSeen(keep[max(0, len(keep)-limit):])
}

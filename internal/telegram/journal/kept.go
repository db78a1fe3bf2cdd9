package journal

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Kept is the journal of an update that became a dead letter. It belongs to the letter,
// and a replay goes on under it. The zero value is an empty one.
type Kept struct {
	Turn       map[int][]byte // entries of the lane's turn
	Urgent     map[int][]byte // entries of the urgent run
	UrgentDone bool           // the urgent run has succeeded: a replay does not make it again
}

// A kept journal is stored as a version and, compressed, its entries: section, index,
// length, entry.
const (
	keptVersion    = 1
	sectionTurn    = 't'
	sectionUrgent  = 'u'
	sectionSettled = 's'
	maxKept        = 64 << 20 // bytes that a kept journal may have, not compressed
)

var errKept = errors.New("journal of the dead letter is damaged")

// Encode gives the stored form; nil for an empty journal. Entries with a negative index
// are the pipeline's own, and are left out.
func (k Kept) Encode() []byte {
	var plain []byte
	section := func(name byte, entries map[int][]byte) {
		for _, index := range slices.Sorted(maps.Keys(entries)) {
			if index >= 0 {
				plain = binary.AppendUvarint(append(plain, name), uint64(index))
				plain = append(binary.AppendUvarint(plain, uint64(len(entries[index]))), entries[index]...)
			}
		}
	}
	section(sectionUrgent, k.Urgent)
	if k.UrgentDone {
		section(sectionSettled, map[int][]byte{0: nil})
	}
	section(sectionTurn, k.Turn)
	if plain == nil {
		return nil
	}
	out := bytes.NewBuffer([]byte{keptVersion})
	w, err := flate.NewWriter(out, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // the level is right, and a buffer takes everything
	}
	return out.Bytes()
}

// DecodeKept is the inverse of Encode.
func DecodeKept(b []byte) (Kept, error) {
	var k Kept
	if len(b) == 0 {
		return k, nil
	}
	switch version := b[0]; {
	case version > keptVersion:
		return k, fmt.Errorf("%w: version %d of the dead letter's journal", ErrNewer, version)
	case version < keptVersion:
		return k, errKept
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), maxKept+1))
	if err != nil || len(plain) > maxKept {
		return Kept{}, errKept
	}
	for len(plain) > 0 {
		name, entry, index, rest, ok := cutKept(plain)
		if !ok {
			return Kept{}, errKept
		}
		switch name {
		case sectionTurn:
			k.Turn = put(k.Turn, index, entry)
		case sectionUrgent:
			k.Urgent = put(k.Urgent, index, entry)
		case sectionSettled:
			k.UrgentDone = true
		default:
			return Kept{}, errKept
		}
		plain = rest
	}
	return k, nil
}

func cutKept(b []byte) (name byte, entry []byte, index int, rest []byte, ok bool) {
	name, b = b[0], b[1:]
	at, n := binary.Uvarint(b)
	if n <= 0 || at > 1<<30 {
		return 0, nil, 0, nil, false
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return 0, nil, 0, nil, false
	}
	b = b[n:]
	return name, b[:size:size], int(at), b[size:], true
}

func put(m map[int][]byte, index int, entry []byte) map[int][]byte {
	if m == nil {
		m = make(map[int][]byte)
	}
	m[index] = entry
	return m
}

// ForReplay makes of each refusal an entry that does not answer: a refused call had no
// effect, and to make it again is why somebody replays. Results stay, and so do calls
// at most once that may have been sent.
func (k Kept) ForReplay() Kept {
	return Kept{Turn: withoutRefusals(k.Turn), Urgent: withoutRefusals(k.Urgent), UrgentDone: k.UrgentDone}
}

func withoutRefusals(entries map[int][]byte) map[int][]byte {
	out := maps.Clone(entries)
	for index, raw := range entries {
		e, err := Decode(raw)
		if err != nil || e.Status != Refused {
			continue
		}
		e.Status, e.Refusal = Void, nil
		if raw, err = e.Encode(); err == nil {
			out[index] = raw
		}
	}
	return out
}

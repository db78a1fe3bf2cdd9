package queue

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Update is one Telegram update, with the fields that ingress read.
type Update struct {
	ID        int64  // Telegram's update_id; 0 for a timer
	Type      string // "message", "callback_query", ...
	Scope     lane.Scope
	Lane      lane.Key
	Partition partition.ID
	Received  time.Time // at ingress
	Body      []byte    // raw JSON, untouched

	Replay uint64 // the dead letter that was replayed, never taken for a duplicate; 0 for none

	Album   string // media group of a new message; may be empty
	Journal []byte // of the dead letter that was replayed; nil for none
}

// The envelope is a single header, because each header costs an allocation on both sides: "1
// <update> <type> <kind> <chat> <user> <thread> <received ms> [<ref>]".
const (
	headerEnvelope = "Chatlane-Envelope"
	headerReplay   = "Chatlane-Replay"
	headerAlbum    = "Chatlane-Album"
	headerJournal  = "Chatlane-Journal" // length of the body: the journal follows it in the same message
)

// Headers of copies and dead letters: the update's position in UPDATES.
const (
	HeaderSequence = "Chatlane-Sequence"
	HeaderStream   = "Chatlane-Stream"
)

const envelopeVersion = "1"

// ErrEnvelope means that a message has no envelope that this version can read.
var ErrEnvelope = errors.New("envelope header is not ours")

// EncodeHeader makes headers that spare a worker the body. They go with [Update.Data].
func (u *Update) EncodeHeader() nats.Header {
	b := make([]byte, 0, 96)
	b = append(b, envelopeVersion...)
	b = strconv.AppendInt(append(b, ' '), u.ID, 10)
	b = append(append(b, ' '), u.Type...)
	b = append(b, ' ', byte(u.Scope.Kind))
	b = strconv.AppendInt(append(b, ' '), u.Scope.Chat, 10)
	b = strconv.AppendInt(append(b, ' '), u.Scope.User, 10)
	b = strconv.AppendInt(append(b, ' '), u.Scope.Thread, 10)
	b = strconv.AppendInt(append(b, ' '), u.Received.UnixMilli(), 10)
	if u.Scope.ID != "" {
		b = append(append(b, ' '), OneLine(u.Scope.ID)...)
	}
	h := nats.Header{headerEnvelope: {string(b)}}
	if u.Replay != 0 {
		h[headerReplay] = []string{strconv.FormatUint(u.Replay, 10)}
	}
	if u.Album != "" {
		h[headerAlbum] = []string{OneLine(u.Album)}
	}
	if len(u.Journal) > 0 {
		h[headerJournal] = []string{strconv.Itoa(len(u.Body))}
	}
	return h
}

// Data is the message's content: the body, and behind it the journal.
func (u *Update) Data() []byte {
	if len(u.Journal) == 0 {
		return u.Body
	}
	return slices.Concat(u.Body, u.Journal)
}

// cut parts body and journal. A message that was read without its data has neither.
func (u *Update) cut(h nats.Header) error {
	text := HeaderValue(h, headerJournal)
	if text == "" || len(u.Body) == 0 {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > len(u.Body) {
		return fmt.Errorf("%w: journal", ErrEnvelope)
	}
	u.Body, u.Journal = u.Body[:n:n], u.Body[n:]
	return nil
}

func (u *Update) messageID() string {
	id := strconv.FormatInt(u.Scope.Bot, 10) + ":" + strconv.FormatInt(u.ID, 10)
	if u.Replay != 0 {
		id += ":r" + strconv.FormatUint(u.Replay, 10)
	}
	return id
}

// DecodeUpdate is the inverse of EncodeHeader. Next to an error it returns what it could read.
func DecodeUpdate(subject string, h nats.Header, body []byte) (Update, error) {
	u := Update{Body: body}
	var err error
	if u.Partition, u.Lane, err = broker.ParseSubject(subject); err != nil {
		return u, err
	}
	u.Scope.Bot = u.Lane.Bot()
	f := strings.SplitN(HeaderValue(h, headerEnvelope), " ", 9)
	if len(f) < 8 || f[0] != envelopeVersion || len(f[3]) != 1 {
		return u, ErrEnvelope
	}
	u.Type, u.Scope.Kind = f[2], lane.Kind(f[3][0])
	if len(f) == 9 {
		u.Scope.ID = f[8]
	}
	var n [8]int64
	for _, i := range [...]int{1, 4, 5, 6, 7} {
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return u, fmt.Errorf("%w: field %d", ErrEnvelope, i)
		}
	}
	u.ID, u.Scope.Chat, u.Scope.User, u.Scope.Thread = n[1], n[4], n[5], n[6]
	received := n[7]
	u.Received, u.Album = time.UnixMilli(received), HeaderValue(h, headerAlbum)
	if r := HeaderValue(h, headerReplay); r != "" {
		if u.Replay, err = strconv.ParseUint(r, 10, 64); err != nil {
			return u, fmt.Errorf("%w: replay", ErrEnvelope)
		}
	}
	return u, u.cut(h)
}

// HasEnvelope reports an envelope of this version or another.
func HasEnvelope(h nats.Header) bool { return HeaderValue(h, headerEnvelope) != "" }

// HeaderValue is the header with exactly this spelling; empty if missing.
func HeaderValue(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// HeaderInt is a number in a header; 0 if missing or damaged.
func HeaderInt(h nats.Header, name string) int64 {
	n, err := strconv.ParseInt(HeaderValue(h, name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// PositionID stays unique if the stream is deleted and made again.
func PositionID(k lane.Key, stream int64, seq uint64) string {
	return string(k) + ":" + strconv.FormatInt(stream, 36) + ":" + strconv.FormatUint(seq, 10)
}

// OneLine replaces control characters, which would end the header.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

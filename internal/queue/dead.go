package queue

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Reasons why an update is a dead letter: a closed set, fit for a metric label.
const (
	ReasonUnreadable = "unreadable" // authentic, but no update that could be routed
	ReasonUndecoded  = "undecoded"  // routed, but the worker's decoder could not read it
	ReasonError      = "error"      // the handler failed at each attempt
	ReasonPanic      = "panic"
	ReasonTimeout    = "timeout"
	ReasonCrash      = "crash" // its worker died each time that it was under way
)

// DeadLetter is an update that used up its attempts, with all a person needs to decide.
type DeadLetter struct {
	ID        uint64 // sequence in DEADLETTERS, set when read
	Bot       int64
	Update    int64
	Type      string
	Scope     lane.Scope
	Lane      lane.Key
	Partition partition.ID
	Stream    int64  // identity of UPDATES, see Delivery.Stream
	Seq       uint64 // sequence in UPDATES, 0 if it never got there
	Reason    string
	Error     string
	Stack     string
	Attempts  int
	Received  time.Time
	First     time.Time // first attempt
	Died      time.Time
	Trace     string // trace id
	Body      []byte
}

// MaxNote bounds error and stack, so that the headers of a dead letter stay small, in bytes.
const MaxNote = 4 << 10

// DeadLetters is the stream of dead letters. Safe for concurrent use.
type DeadLetters struct{ conn *broker.Conn }

// NewDeadLetters works on the stream over conn.
func NewDeadLetters(conn *broker.Conn) *DeadLetters { return &DeadLetters{conn: conn} }

// Put stores a dead letter; nil means stored. Storing the same update twice
// within the duplicate window stores it once.
func (d *DeadLetters) Put(ctx context.Context, l DeadLetter) error {
	msg := &nats.Msg{Subject: broker.LaneSubject(broker.DeadLettersPrefix, l.Partition, l.Lane), Header: l.header(), Data: l.Body}
	if l.Seq != 0 {
		msg.Header[jetstream.MsgIDHeader] = []string{PositionID(l.Lane, l.Stream, l.Seq)}
	}
	if _, err := d.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(broker.StreamDeadLetters)); err != nil {
		return fmt.Errorf("store dead letter of update %d in lane %s: %w", l.Update, l.Lane, err)
	}
	return nil
}

// Has tells whether the letter of an update is stored, however long ago.
func (d *DeadLetters) Has(ctx context.Context, l DeadLetter) (bool, error) {
	for other, err := range d.All(ctx, Filter{Lane: l.Lane}) {
		if err != nil {
			return false, err
		}
		if other.Stream == l.Stream && other.Seq == l.Seq {
			return true, nil
		}
	}
	return false, nil
}

// Get reads one dead letter.
func (d *DeadLetters) Get(ctx context.Context, id uint64) (DeadLetter, error) {
	s, err := d.conn.JetStream().Stream(ctx, broker.StreamDeadLetters)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("open dead letters: %w", err)
	}
	m, err := s.GetMsg(ctx, id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, fmt.Errorf("dead letter %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter %d: %w", id, err)
	}
	return readDeadLetter(m.Subject, m.Header, m.Data, m.Sequence)
}

// ErrNotFound says that there is no such dead letter or parked lane.
var ErrNotFound = errors.New("not found")

// Drop removes one dead letter for good.
func (d *DeadLetters) Drop(ctx context.Context, id uint64) error {
	s, err := d.conn.JetStream().Stream(ctx, broker.StreamDeadLetters)
	if err != nil {
		return fmt.Errorf("open dead letters: %w", err)
	}
	if err := s.DeleteMsg(ctx, id); err != nil {
		return fmt.Errorf("drop dead letter %d: %w", id, err)
	}
	return nil
}

const (
	headerReason   = "Chatlane-Reason"
	headerError    = "Chatlane-Error"
	headerStack    = "Chatlane-Stack" // base64: a header holds one line
	headerAttempts = "Chatlane-Attempts"
	headerFirst    = "Chatlane-First"
	headerDied     = "Chatlane-Died"
	headerTrace    = "Chatlane-Trace"
)

func (l *DeadLetter) header() nats.Header {
	u := Update{ID: l.Update, Type: orDash(l.Type), Scope: l.Scope, Received: l.Received}
	if u.Scope.Kind == 0 {
		u.Scope.Kind = lane.KindOther
	}
	h := u.EncodeHeader()
	set := func(name, value string) { h[name] = []string{value} }
	set(headerReason, l.Reason)
	set(headerError, mapLine(clip(l.Error)))
	set(headerAttempts, strconv.Itoa(l.Attempts))
	set(HeaderSequence, strconv.FormatUint(l.Seq, 10))
	set(HeaderStream, strconv.FormatInt(l.Stream, 10))
	set(headerFirst, strconv.FormatInt(l.First.UnixMilli(), 10))
	set(headerDied, strconv.FormatInt(l.Died.UnixMilli(), 10))
	set(headerTrace, l.Trace)
	if l.Stack != "" {
		set(headerStack, base64.StdEncoding.EncodeToString([]byte(clip(l.Stack))))
	}
	return h
}

func readDeadLetter(subject string, h nats.Header, body []byte, id uint64) (DeadLetter, error) {
	u, err := DecodeUpdate(subject, h, body)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("dead letter %d: %w", id, err)
	}
	stack, err := base64.StdEncoding.DecodeString(HeaderValue(h, headerStack))
	if err != nil {
		stack = nil // a damaged stack is no reason to hide the letter
	}
	return DeadLetter{
		ID: id, Bot: u.Scope.Bot, Update: u.ID, Type: u.Type, Scope: u.Scope, Lane: u.Lane, Partition: u.Partition,
		Stream: HeaderInt(h, HeaderStream), Seq: uint64(HeaderInt(h, HeaderSequence)), Reason: HeaderValue(h, headerReason), Error: HeaderValue(h, headerError),
		Stack: string(stack), Attempts: int(HeaderInt(h, headerAttempts)), Received: u.Received,
		First: time.UnixMilli(HeaderInt(h, headerFirst)), Died: time.UnixMilli(HeaderInt(h, headerDied)),
		Trace: HeaderValue(h, headerTrace), Body: body,
	}, nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

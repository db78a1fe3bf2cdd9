package deadletter

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

// Reasons why an update is a dead letter: a closed set, fit for a metric label.
const (
	ReasonUnreadable = "unreadable" // authentic, but not routable
	ReasonUndecoded  = "undecoded"  // routed, but the worker could not decode it
	ReasonError      = "error"      // the handler failed at each attempt
	ReasonPanic      = "panic"
	ReasonTimeout    = "timeout"
	ReasonRefused    = "refused" // the Bot API refused a call for good
	ReasonCrash      = "crash"   // its worker died each time
)

// Letter is a given-up update with all that a person needs to decide.
type Letter struct {
	ID        uint64 // sequence in DEADLETTERS, set when read
	Bot       int64
	Update    int64
	Type      string
	Scope     lane.Scope
	Lane      lane.Key
	Partition partition.ID
	Stream    int64  // see Delivery.Stream
	Seq       uint64 // sequence in UPDATES; 0 if it never got there
	Reason    string
	Error     string
	Stack     string
	Attempts  int
	Received  time.Time
	First     time.Time // first attempt
	Died      time.Time
	Trace     string // trace id
	Body      []byte

	Digest string // of a body that has no position in UPDATES: a repetition is the same letter
	// Journal is of the calls and steps that the update has made, for a replay; nil for none.
	Journal []byte `json:"-"`
	// JournalLost means that there was a journal, too large to be kept.
	JournalLost bool
}

// MaxNote bounds Error and Stack in bytes, so that the headers stay small.
const MaxNote = 4 << 10

const (
	headerReason   = "Chatlane-Reason"
	headerError    = "Chatlane-Error"
	headerStack    = "Chatlane-Stack" // base64: a header holds one line
	headerAttempts = "Chatlane-Attempts"
	headerFirst    = "Chatlane-First"
	headerDied     = "Chatlane-Died"
	headerTrace    = "Chatlane-Trace"
	headerLost     = "Chatlane-Journal-Lost"
)

// message is the letter as it is stored, in its lane under the prefix.
func (l *Letter) message(prefix string) *nats.Msg {
	u := queue.Update{ID: l.Update, Type: cmp.Or(l.Type, "-"), Scope: l.Scope, Received: l.Received, Body: l.Body, Journal: l.Journal}
	if u.Scope.Kind == 0 {
		u.Scope.Kind = lane.KindOther
	}
	h := u.EncodeHeader()
	l.addTo(h)
	return &nats.Msg{Subject: broker.LaneSubject(prefix, l.Partition, l.Lane), Header: h, Data: u.Data()}
}

// addTo adds what a letter has beside its update.
func (l *Letter) addTo(h nats.Header) {
	set := func(name, value string) { h[name] = []string{value} }
	set(headerReason, l.Reason)
	set(headerError, queue.OneLine(clip(l.Error)))
	set(headerAttempts, strconv.Itoa(l.Attempts))
	set(queue.HeaderSequence, strconv.FormatUint(l.Seq, 10))
	set(queue.HeaderStream, strconv.FormatInt(l.Stream, 10))
	set(headerFirst, strconv.FormatInt(l.First.UnixMilli(), 10))
	set(headerDied, strconv.FormatInt(l.Died.UnixMilli(), 10))
	set(headerTrace, l.Trace)
	if l.Stack != "" {
		set(headerStack, base64.StdEncoding.EncodeToString([]byte(clip(l.Stack))))
	}
	if l.JournalLost {
		set(headerLost, "1")
	}
}

func decode(subject string, h nats.Header, body []byte, id uint64) (Letter, error) {
	u, err := queue.DecodeUpdate(subject, h, body)
	if err != nil {
		return Letter{ID: id, Lane: u.Lane, Partition: u.Partition, Reason: queue.HeaderValue(h, headerReason)}, fmt.Errorf("dead letter %d: %w: %s", id, ErrUnreadable, err.Error())
	}
	stack, err := base64.StdEncoding.DecodeString(queue.HeaderValue(h, headerStack))
	if err != nil {
		stack = nil // a damaged stack must not hide the letter
	}
	return Letter{
		ID: id, Bot: u.Scope.Bot, Update: u.ID, Type: u.Type, Scope: u.Scope, Lane: u.Lane, Partition: u.Partition,
		Stream: queue.HeaderInt(h, queue.HeaderStream), Seq: uint64(queue.HeaderInt(h, queue.HeaderSequence)), Reason: queue.HeaderValue(h, headerReason), Error: queue.HeaderValue(h, headerError),
		Stack: string(stack), Attempts: int(queue.HeaderInt(h, headerAttempts)), Received: u.Received,
		First: time.UnixMilli(queue.HeaderInt(h, headerFirst)), Died: time.UnixMilli(queue.HeaderInt(h, headerDied)),
		Trace: queue.HeaderValue(h, headerTrace), Body: u.Body, Journal: u.Journal, JournalLost: queue.HeaderValue(h, headerLost) != "",
	}, nil
}

func clip(s string) string { return s[:min(len(s), MaxNote)] }

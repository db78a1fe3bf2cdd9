package ownership

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
)

// feed is one inbox for pull requests to one consumer. It speaks the pull
// protocol itself, because takeover needs what the client library hides: which
// pin a request carries, which inbox a delivery was meant for, and every refusal.
type feed struct {
	nc   *nats.Conn
	next string // subject that takes pull requests
	sub  *nats.Subscription
	in   chan *nats.Msg
}

// pullRequest is the server's JSApiConsumerGetNextRequest.
type pullRequest struct {
	Batch    int           `json:"batch"`
	MaxBytes int           `json:"max_bytes,omitempty"`
	Expires  time.Duration `json:"expires,omitempty"` // nanoseconds on the wire
	NoWait   bool          `json:"no_wait,omitempty"`
	Group    string        `json:"group"`
	Pin      string        `json:"id,omitempty"`
}

// Statuses that answer a pull request instead of a message.
const (
	statusNotFound     = "404" // nothing there, for a request that would not wait
	statusExpired      = "408"
	statusConflict     = "409" // leadership change, size limit, consumer deleted
	statusWrongPin     = "423"
	statusNoResponders = "503" // no leader at this moment

	headerStatus = "Status"
	headerPin    = "Nats-Pin-Id"
)

// openFeed subscribes before anything is asked for. Size is the most messages
// that can be on their way at once; what exceeded it would show as a gap.
func openFeed(conn *broker.Conn, consumer string, size int) (*feed, error) {
	nc := conn.NATS()
	f := &feed{nc: nc, next: "$JS.API.CONSUMER.MSG.NEXT." + conn.Names().Updates() + "." + consumer, in: make(chan *nats.Msg, size)}
	sub, err := nc.ChanSubscribe(nats.NewInbox(), f.in)
	if err != nil {
		return nil, fmt.Errorf("subscribe to deliveries of %s: %w", consumer, err)
	}
	f.sub = sub
	return f, nil
}

// pull asks for messages; they and the refusals arrive in f.in.
func (f *feed) pull(r pullRequest) error {
	r.Group = broker.PinGroup
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode pull request: %w", err)
	}
	if err := f.nc.PublishRequest(f.next, f.sub.Subject, body); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	return nil
}

// renew keeps the pin without taking a message: no message fits into one byte.
func (f *feed) renew(pin string) error {
	return f.pull(pullRequest{Batch: 1, MaxBytes: 1, NoWait: true, Pin: pin})
}

// close takes back the interest, so that the server drops what was asked for.
// Requests made on this connection afterwards come after that.
func (f *feed) close() { _ = f.sub.Unsubscribe() }

// isDelivery tells a message of the stream from an answer of the broker's: a delivery alone
// asks for an acknowledgement. What is stored may carry any header and any body, and so
// look like an answer.
func isDelivery(m *nats.Msg) bool { return m.Reply != "" }

// status is why the broker refused a pull request; empty for a delivery.
func status(m *nats.Msg) string {
	if isDelivery(m) {
		return ""
	}
	return m.Header.Get(headerStatus)
}

// pinIn is the pin that a delivery came under, by its headers. The broker adds its own behind
// those that are stored, so the last one counts. A stored message can hide it: then this is
// another text, or empty.
func pinIn(m *nats.Msg) string {
	if pins := m.Header[headerPin]; len(pins) > 0 {
		return pins[len(pins)-1]
	}
	return ""
}

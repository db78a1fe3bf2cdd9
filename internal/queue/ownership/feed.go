package ownership

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
)

// feed is one inbox for pull requests. It speaks the pull protocol itself, because the client
// library hides what takeover needs: a request's pin, a delivery's inbox, every refusal.
type feed struct {
	nc   *nats.Conn
	next string // subject of pull requests
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

const (
	statusNotFound     = "404" // nothing there, for a request that does not wait
	statusExpired      = "408"
	statusConflict     = "409" // leadership change, size limit, consumer deleted
	statusWrongPin     = "423"
	statusNoResponders = "503" // no leader at the moment

	headerStatus = "Status"
	headerPin    = "Nats-Pin-Id"
)

// openFeed subscribes. Size is the most messages on their way; any above it would show as a gap.
func openFeed(conn *broker.Conn, consumer string, size int) (*feed, error) {
	nc := conn.NATS()
	f := &feed{nc: nc, next: "$JS.API.CONSUMER.MSG.NEXT." + conn.Names().Updates() + "." + consumer, in: make(chan *nats.Msg, size)}
	sub, err := nc.ChanSubscribe(nc.NewInbox(), f.in)
	if err != nil {
		return nil, fmt.Errorf("subscribe to deliveries of %s: %w", consumer, err)
	}
	f.sub = sub
	return f, nil
}

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

// close makes the server drop pending requests before later ones on this connection.
func (f *feed) close() { _ = f.sub.Unsubscribe() }

// isDelivery goes by the reply subject: a stored message may carry any header and body, and look like an answer.
func isDelivery(m *nats.Msg) bool { return m.Reply != "" }

func status(m *nats.Msg) string {
	if isDelivery(m) {
		return ""
	}
	return m.Header.Get(headerStatus)
}

// pinIn is the pin in a delivery's headers. The broker's is the last one, but a stored message can hide it.
func pinIn(m *nats.Msg) string {
	if pins := m.Header[headerPin]; len(pins) > 0 {
		return pins[len(pins)-1]
	}
	return ""
}

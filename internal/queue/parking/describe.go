package parking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/queue"
)

// Description is a parked lane as its copies tell.
type Description struct {
	Parked
	// Reason is the label of chatlane_lanes_parked_total; empty while its updates are being worked off.
	Reason string
	Since  time.Time // when the oldest of its updates was parked
	Next   time.Time // the next attempt; zero if only the owner knows it
}

// Describe reads a parked lane's oldest and newest copy, or returns ErrNotParked.
func Describe(ctx context.Context, conn *broker.Conn, p Parked) (Description, error) {
	d := Description{Parked: p}
	s, err := conn.Stream(ctx, conn.Names().Parked())
	if err != nil {
		return d, err
	}
	subject := broker.LaneSubject(conn.Names().ParkedPrefix(), p.Partition, p.Lane)
	oldest, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject))
	if err == nil {
		var newest *jetstream.RawStreamMsg
		if newest, err = s.GetLastMsgForSubject(ctx, subject); err == nil {
			d.fill(oldest, newest)
		}
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return d, fmt.Errorf("describe lane %s: %w", p.Lane, ErrNotParked)
	}
	if err != nil {
		return d, fmt.Errorf("describe lane %s: %w", p.Lane, err)
	}
	return d, nil
}

// fill takes the time from the newest copy. Only the owner knows a later wait.
func (d *Description) fill(oldest, newest *jetstream.RawStreamMsg) {
	d.Since = oldest.Time
	waiting := queue.HeaderInt(newest.Header, headerWaiting)
	switch {
	case waiting == 0:
		d.Reason = reasonFlooding
	case waiting == queue.HeaderInt(oldest.Header, queue.HeaderSequence):
		d.Reason = reasonWaiting
		next := newest.Time.Add(time.Duration(queue.HeaderInt(newest.Header, headerWait)) * time.Millisecond)
		if time.Now().Before(next) {
			d.Next = next
		}
	}
}

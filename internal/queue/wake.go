package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
)

// The broker pins with a message alone. Where all that is left of a partition is
// parked, its next owner would have none to be pinned by, and its parked lanes nobody
// to wake them. So who stands by stores one: it belongs to no lane, and whoever owns
// the partition acknowledges it at once.

// wakeSubject is no lane's: there is no bot 0.
func wakeSubject(p partition.ID) string {
	return broker.UpdatesPrefix + strconv.Itoa(int(p)) + ".0.wake"
}

// wakeParked stores such a message if lanes of p are parked; true if there are any.
// However many stand by, the broker keeps one, until the consumer has moved past it.
func (o *Owner) wakeParked(ctx context.Context, p partition.ID, info *jetstream.ConsumerInfo) bool {
	if any, err := anyParked(ctx, o.conn, p); err != nil || !any {
		return false // an error now is looked at again soon
	}
	msg := &nats.Msg{Subject: wakeSubject(p), Header: nats.Header{
		jetstream.MsgIDHeader: {fmt.Sprintf("wake:%d:%d", p, info.Delivered.Stream)},
	}}
	_, _ = o.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(broker.StreamUpdates)) // tried again as long as nobody is pinned
	return true
}

func anyParked(ctx context.Context, c *broker.Conn, p partition.ID) (bool, error) {
	s, err := c.Stream(ctx, broker.StreamParked)
	if err != nil {
		return false, err
	}
	_, err = s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(broker.ParkedPrefix+strconv.Itoa(int(p))+".>"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

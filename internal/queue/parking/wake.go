package parking

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

// WakeSubject pins an owner to a partition with only parked lanes: the broker pins with a message
// alone. It is no lane's, since there is no bot 0; the owner acknowledges it at once.
func WakeSubject(n broker.Names, p partition.ID) string {
	return n.UpdatesPrefix() + strconv.Itoa(int(p)) + ".0.wake"
}

// Wake stores such a message if lanes of p are parked, and reports whether any are. The broker
// keeps one for all standbys until the consumer has moved past delivered.
func Wake(ctx context.Context, conn *broker.Conn, p partition.ID, delivered uint64) bool {
	if parked, err := anyParked(ctx, conn, p); err != nil || !parked {
		return false // a standby looks again soon
	}
	msg := &nats.Msg{Subject: WakeSubject(conn.Names(), p), Header: nats.Header{
		jetstream.MsgIDHeader: {fmt.Sprintf("wake:%d:%d", p, delivered)},
	}}
	_, _ = conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(conn.Names().Updates())) // tried again while there is no owner
	return true
}

func anyParked(ctx context.Context, conn *broker.Conn, p partition.ID) (bool, error) {
	s, err := parkedStream(ctx, conn)
	if err != nil {
		return false, err
	}
	_, err = s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(ofPartition(conn.Names(), p)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if errors.Is(err, nats.ErrBadHeaderMsg) {
		return true, nil
	}
	return err == nil, err
}

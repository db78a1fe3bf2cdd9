package parking

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Parked is a parked lane and the number of its updates.
type Parked struct {
	Lane      lane.Key
	Partition partition.ID
	Updates   uint64
}

// List names the parked lanes in no order. Orphaned copies count until they are pruned.
func List(ctx context.Context, conn *broker.Conn) ([]Parked, error) {
	s, err := conn.Stream(ctx, conn.Names().Parked())
	if err != nil {
		return nil, err
	}
	return list(ctx, s, conn.Names().ParkedPrefix()+">")
}

func (l *Lanes) list(ctx context.Context, s jetstream.Stream) ([]lane.Key, error) {
	parked, err := list(ctx, s, ofPartition(l.conn.Names(), l.cfg.Partition))
	keys := make([]lane.Key, 0, len(parked))
	for _, p := range parked {
		keys = append(keys, p.Lane)
	}
	return keys, err
}

func list(ctx context.Context, s jetstream.Stream, subjects string) ([]Parked, error) {
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjects))
	if err != nil {
		return nil, fmt.Errorf("list parked lanes: %w", err)
	}
	parked := make([]Parked, 0, len(info.State.Subjects))
	for subject, n := range info.State.Subjects {
		if p, k, err := broker.ParseSubject(subject); err == nil {
			parked = append(parked, Parked{Lane: k, Partition: p, Updates: n})
		}
	}
	return parked, nil
}

func ofPartition(n broker.Names, p partition.ID) string {
	return n.ParkedPrefix() + strconv.Itoa(int(p)) + ".>"
}

// ErrNoOwner means that no worker owns the partition at this moment.
var ErrNoOwner = errors.New("no worker owns its partition at this moment: are workers running? Try again")

// ErrNotParked means that the lane is not parked.
var ErrNotParked = errors.New("lane is not parked")

const (
	answerFreed     = "freed"
	answerNotParked = "not parked"
)

// Free wakes a parked lane of partition p before its time. Errors: [ErrNotParked], [ErrNoOwner], or the connection's.
func Free(ctx context.Context, conn *broker.Conn, p partition.ID, k lane.Key) error {
	m, err := conn.NATS().RequestWithContext(ctx, conn.Names().FreeLane(p), []byte(k))
	if errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("free lane %s: %w", k, ErrNoOwner)
	}
	if err != nil {
		return fmt.Errorf("free lane %s: ask the owner of partition %d: %w", k, p, err)
	}
	if string(m.Data) != answerFreed {
		return fmt.Errorf("free lane %s: %w", k, ErrNotParked)
	}
	return nil
}

// Serve lets operators free lanes until unsubscribe is called. A lane that has only orphaned copies is pruned.
func (l *Lanes) Serve(ctx context.Context) (unsubscribe func(), err error) {
	sub, err := l.conn.NATS().Subscribe(l.conn.Names().FreeLane(l.cfg.Partition), func(m *nats.Msg) {
		answer, k := answerNotParked, lane.Key(m.Data)
		if l.free(k) || l.pruneLane(ctx, k) || l.free(k) { // again: it may have been parked just now
			answer = answerFreed
		}
		_ = m.Respond([]byte(answer)) // the operator may have gone
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to lanes to free: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

func (l *Lanes) free(k lane.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parked[k]
	if p == nil || p.timer == nil && !p.awake {
		return false
	}
	l.holdLocked(k, wait{})
	p.unread = false
	return true
}

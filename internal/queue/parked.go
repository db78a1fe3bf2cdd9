package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// ErrNotFound says that there is no such parked lane.
var ErrNotFound = errors.New("not found")

// ParkedLane is a lane that waits aside.
type ParkedLane struct {
	Lane      lane.Key
	Partition partition.ID
	Updates   uint64
}

// Parked lists the parked lanes, in no particular order.
func Parked(ctx context.Context, c *broker.Conn) ([]ParkedLane, error) {
	s, err := c.Stream(ctx, broker.StreamParked)
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(broker.ParkedPrefix+">"))
	if err != nil {
		return nil, fmt.Errorf("list parked lanes: %w", err)
	}
	var out []ParkedLane
	for subject, n := range info.State.Subjects {
		if p, k, err := broker.ParseSubject(subject); err == nil {
			out = append(out, ParkedLane{Lane: k, Partition: p, Updates: n})
		}
	}
	return out, nil
}

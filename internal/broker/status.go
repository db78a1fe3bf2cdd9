package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// StreamStatus is what one stream holds.
type StreamStatus struct {
	Name     string  `json:"name"`
	Messages uint64  `json:"messages"`
	Bytes    uint64  `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`      // the bound; 0: none
	Oldest   float64 `json:"oldest_seconds"` // age of the oldest message, by the broker's clock; 0: none
	Replicas int     `json:"replicas"`
	Leader   string  `json:"leader,omitempty"` // in a cluster
}

// Streams asks for the streams of the installation and the state bucket. Missing ones are left out.
func (c *Conn) Streams(ctx context.Context, t Topology) ([]StreamStatus, error) {
	t = t.withDefaults()
	names := []string{c.names.Updates(), c.names.Parked(), c.names.DeadLetters(), c.names.Timers(), "KV_" + c.names.StateBucket()}
	all := make([]StreamStatus, 0, len(names))
	for _, name := range names {
		s, err := c.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info := s.CachedInfo()
		one := StreamStatus{Name: name, Messages: info.State.Msgs, Bytes: info.State.Bytes, MaxBytes: max(info.Config.MaxBytes, 0), Replicas: info.Config.Replicas}
		if name == c.names.Timers() {
			one.MaxBytes = t.TimersMaxBytes // the workers keep it
		}
		if info.State.Msgs > 0 {
			one.Oldest = max(info.TimeStamp.Sub(info.State.FirstTime), 0).Seconds()
		}
		if info.Cluster != nil {
			one.Leader = info.Cluster.Leader
		}
		all = append(all, one)
	}
	return all, nil
}

// PartitionStatus is a partition's consumer.
type PartitionStatus struct {
	Partition partition.ID `json:"partition"`
	Pending   uint64       `json:"pending"`               // not delivered yet
	Held      int          `json:"held"`                  // delivered to a worker and not acknowledged
	Pinned    bool         `json:"pinned"`                // a worker owns it, by the broker
	Since     time.Time    `json:"pinned_since,omitzero"` // since when
}

// PartitionStatuses asks for the consumers of all partitions, sorted.
func (c *Conn) PartitionStatuses(ctx context.Context) ([]PartitionStatus, error) {
	s, err := c.Stream(ctx, c.names.Updates())
	if err != nil {
		return nil, err
	}
	consumers := s.ListConsumers(ctx)
	var all []PartitionStatus
	for info := range consumers.Info() {
		var p partition.ID
		if n, err := fmt.Sscanf(info.Name, "p-%d", &p); n != 1 || err != nil {
			continue // a person's own
		}
		one := PartitionStatus{Partition: p, Pending: info.NumPending, Held: info.NumAckPending}
		for _, g := range info.PriorityGroups {
			if g.Group == PinGroup && g.PinnedClientID != "" {
				one.Pinned, one.Since = true, g.PinnedTS
			}
		}
		all = append(all, one)
	}
	if err := consumers.Err(); err != nil {
		return nil, fmt.Errorf("list the consumers of the partitions: %w", err)
	}
	slices.SortFunc(all, func(a, b PartitionStatus) int { return int(a.Partition) - int(b.Partition) })
	return all, nil
}

// MadeWith is what UPDATES was made with: the number of partitions, and what lanes are made of.
func (c *Conn) MadeWith(ctx context.Context) (partitions int, by lane.By, err error) {
	s, err := c.Stream(ctx, c.names.Updates())
	if err != nil {
		return 0, 0, err
	}
	meta := s.CachedInfo().Config.Metadata
	partitions, err = strconv.Atoi(meta[metaPartitions])
	if err == nil && partitions < 1 {
		err = errors.New("it has no partitions")
	}
	if err == nil {
		by, err = lane.ParseBy(meta[metaLaneKey])
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%w: stream %s was not made by ingress or a worker: %w", ErrTopology, c.names.Updates(), err)
	}
	return partitions, by, nil
}

func (c *Conn) Server() (name, version string) {
	return c.nc.ConnectedServerName(), c.nc.ConnectedServerVersion()
}

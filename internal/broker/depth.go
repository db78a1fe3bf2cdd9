package broker

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Depth holds counts for law 5: accepted = committed + dead letters + queued.
type Depth struct {
	Queued uint64 // in UPDATES: waiting, or being worked on
	Parked uint64
	Dead   uint64
	Stored uint64 // ever stored in UPDATES: its last sequence
}

// Depth asks one stream after the other: the counts are not of one moment.
func (c *Conn) Depth(ctx context.Context) (Depth, error) {
	var d Depth
	for name, set := range map[string]func(jetstream.StreamState){
		c.names.Updates():     func(s jetstream.StreamState) { d.Queued, d.Stored = s.Msgs, s.LastSeq },
		c.names.Parked():      func(s jetstream.StreamState) { d.Parked = s.Msgs },
		c.names.DeadLetters(): func(s jetstream.StreamState) { d.Dead = s.Msgs },
	} {
		s, err := c.Stream(ctx, name)
		if err != nil {
			return d, err
		}
		set(s.CachedInfo().State)
	}
	return d, nil
}

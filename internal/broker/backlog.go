package broker

import (
	"context"
	"time"
)

// Backlog is what is stored and not finished, at the broker or in a worker's window.
type Backlog struct {
	Queued uint64        // in UPDATES
	Parked uint64        // in PARKED: they wait for their time, not for a worker
	Oldest time.Duration // age of the oldest in UPDATES, by the broker's clock; 0: none
}

func (c *Conn) Backlog(ctx context.Context) (Backlog, error) {
	updates, err := c.Stream(ctx, c.names.Updates())
	if err != nil {
		return Backlog{}, err
	}
	parked, err := c.Stream(ctx, c.names.Parked())
	if err != nil {
		return Backlog{}, err
	}
	info := updates.CachedInfo()
	b := Backlog{Queued: info.State.Msgs, Parked: parked.CachedInfo().State.Msgs}
	if b.Queued > 0 {
		b.Oldest = max(info.TimeStamp.Sub(info.State.FirstTime), 0)
	}
	return b, nil
}

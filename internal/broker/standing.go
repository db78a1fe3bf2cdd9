package broker

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// Identity is when UPDATES was made, and how many consumers it has.
func (c *Conn) Identity(ctx context.Context) (created time.Time, consumers int, err error) {
	s, err := c.Stream(ctx, c.names.Updates())
	if err != nil {
		return time.Time{}, 0, err
	}
	info := s.CachedInfo()
	return info.Created, info.State.Consumers, nil
}

// Reconnected sends after each reconnection, until ctx ends: the broker may have come back with an empty store.
func (c *Conn) Reconnected(ctx context.Context) <-chan nats.Status {
	connected := c.nc.StatusChanged(nats.CONNECTED)
	context.AfterFunc(ctx, func() { c.nc.RemoveStatusListener(connected) })
	return connected
}

// OldestLetter is the sequence of the oldest dead letter, 1 beyond the last if there is none, and whether the stream
// is near its bound: then the broker drops the oldest.
func (c *Conn) OldestLetter(ctx context.Context) (first uint64, full bool, err error) {
	s, err := c.Stream(ctx, c.names.DeadLetters())
	if err != nil {
		return 0, false, err
	}
	info := s.CachedInfo()
	bound := info.Config.MaxBytes
	return info.State.FirstSeq, bound > 0 && int64(info.State.Bytes) > bound-bound/4, nil
}

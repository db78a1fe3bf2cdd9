package broker

import (
	"context"
	"fmt"
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

// Changes sends when a stream of the account may have been made or deleted: by the broker's
// advisories, and after each reconnection. It may send too often, and misses what a broker
// without the right to subscribe to advisories does not tell. It ends with ctx.
func (c *Conn) Changes(ctx context.Context) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	sub, err := c.nc.Subscribe("$JS.EVENT.ADVISORY.STREAM.*.*", func(*nats.Msg) { note() })
	if err != nil {
		return nil, fmt.Errorf("subscribe to advisories of streams: %w", err)
	}
	connected := c.nc.StatusChanged(nats.CONNECTED)
	go func() {
		defer func() { _ = sub.Unsubscribe() }()
		defer c.nc.RemoveStatusListener(connected)
		for {
			select {
			case <-ctx.Done():
				return
			case _, open := <-connected:
				if !open {
					return
				}
				note()
			}
		}
	}()
	return changed, nil
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

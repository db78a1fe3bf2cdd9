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

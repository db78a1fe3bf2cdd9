package broker

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Standing is what the broker says of a stream.
type Standing struct {
	Stream    string
	Holds     string    // in words
	Created   time.Time // another one after the stream was deleted and made, or restored
	Consumers int

	First   uint64    // sequence of the oldest message, 1 beyond the last if there is none
	FirstAt time.Time // when the oldest was stored
	Bytes   int64
	Bound   int64 // of Bytes, 0 or less means none
	MaxAge  time.Duration
}

func standingOf(info *jetstream.StreamInfo, holds string) Standing {
	return Standing{
		Stream: info.Config.Name, Holds: holds, Created: info.Created, Consumers: info.State.Consumers,
		First: info.State.FirstSeq, FirstAt: info.State.FirstTime,
		Bytes: int64(info.State.Bytes), Bound: info.Config.MaxBytes, MaxAge: info.Config.MaxAge,
	}
}

// largest is about the size of the largest message: a stream that drops its oldest is this near to its bound.
const largest = 2 << 20

// Dropped is how many messages have made room for new ones since before. It leaves out those that aged, and
// those that a person dropped from a stream that has room now.
func (s Standing) Dropped(before Standing, now time.Time) uint64 {
	full := s.Bound > 0 && s.Bytes > s.Bound-min(largest, s.Bound/4)
	aged := before.MaxAge > 0 && !before.FirstAt.IsZero() && now.Sub(before.FirstAt) >= before.MaxAge
	if before.First == 0 || !full || aged || !s.Created.Equal(before.Created) {
		return 0
	}
	return s.First - min(before.First, s.First)
}

// Restore makes anew the streams that are gone, if allow, which gets a stream's name, returns nil. It goes on where
// a stream differs or is not allowed, and then returns an ErrLayout or what allow returned, rather than
// another ErrTopology. Streams that the broker has told of are returned also with an error.
func (c *Conn) Restore(ctx context.Context, t Topology, allow func(stream string) error) (found []Standing, err error) {
	t = t.withDefaults()
	blocked := false
	for _, want := range t.streams(c.names) {
		info, failed := c.ensureStream(ctx, want, allow)
		if info != nil {
			found = append(found, standingOf(info, want.Description))
		}
		blocks := errors.Is(failed, ErrLayout) || errors.Is(failed, errNotAllowed)
		switch {
		case failed == nil:
		case !blocks && !errors.Is(failed, ErrTopology):
			return found, failed
		case err == nil || blocks && !blocked:
			err, blocked = failed, blocks
		}
	}
	return found, err
}

// Standing asks for one stream.
func (c *Conn) Standing(ctx context.Context, stream, holds string) (Standing, error) {
	s, err := c.Stream(ctx, stream)
	if err != nil {
		return Standing{}, err
	}
	return standingOf(s.CachedInfo(), holds), nil
}

// Reconnected sends after each reconnection, until ctx ends: the broker may have come back with an empty store.
func (c *Conn) Reconnected(ctx context.Context) <-chan nats.Status {
	connected := c.nc.StatusChanged(nats.CONNECTED)
	context.AfterFunc(ctx, func() { c.nc.RemoveStatusListener(connected) })
	return connected
}

// Reconnections counts them.
func (c *Conn) Reconnections() uint64 { return c.nc.Stats().Reconnects }

package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
)

// Stored is an update of a lane as it lies in UPDATES or PARKED, without its body.
type Stored struct {
	Update

	Seq    uint64    // its position in UPDATES, also of a parked copy
	Stored time.Time // when the broker stored it here
}

// Look lists the first updates of a lane that a stream of the broker holds, limit at most, and
// counts them all. prefix is that of the stream's subjects. An update whose envelope is of
// another version has only its position.
func Look(ctx context.Context, conn *broker.Conn, stream, prefix string, k lane.Key, limit int) (first []Stored, total uint64, err error) {
	s, err := conn.Stream(ctx, stream)
	if err != nil {
		return nil, 0, err
	}
	subject := broker.AnyPartition(prefix, k)
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return nil, 0, fmt.Errorf("count the updates of lane %s: %w", k, err)
	}
	for _, n := range info.State.Subjects {
		total += n
	}
	for seq := uint64(1); len(first) < min(limit, int(total)); {
		m, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break // finished meanwhile
		}
		if err != nil {
			return first, total, fmt.Errorf("read the updates of lane %s: %w", k, err)
		}
		u, _ := DecodeUpdate(m.Subject, m.Header, nil)
		at := cmp.Or(uint64(HeaderInt(m.Header, HeaderSequence)), m.Sequence)
		first, seq = append(first, Stored{Update: u, Seq: at, Stored: m.Time}), m.Sequence+1
	}
	return first, total, nil
}

// LanesOf lists the lanes of a bot that a stream has updates of; bot 0 is any. It asks for the
// one lane where rest, the key behind the bot, is not empty.
func LanesOf(ctx context.Context, conn *broker.Conn, stream, prefix string, bot int64, rest string) ([]lane.Key, error) {
	s, err := conn.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(broker.LanesSubject(prefix, bot, rest)))
	if err != nil {
		return nil, fmt.Errorf("list the lanes in %s: %w", stream, err)
	}
	var found []lane.Key
	for subject := range info.State.Subjects {
		if _, k, err := broker.ParseSubject(subject); err == nil && !slices.Contains(found, k) {
			found = append(found, k)
		}
	}
	return found, nil
}

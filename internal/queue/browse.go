package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Filter selects dead letters. The zero value selects all.
type Filter struct {
	Bot    int64
	Chat   int64
	Lane   lane.Key
	Reason string
	Since  time.Time
	Until  time.Time
}

// matches checks what the subject could not.
func (f Filter) matches(l *DeadLetter) bool {
	return (f.Bot == 0 || l.Bot == f.Bot) &&
		(f.Chat == 0 || l.Scope.Chat == f.Chat) &&
		(f.Lane == "" || l.Lane == f.Lane) &&
		(f.Reason == "" || l.Reason == f.Reason) &&
		(f.Since.IsZero() || !l.Died.Before(f.Since)) &&
		(f.Until.IsZero() || l.Died.Before(f.Until))
}

// subject narrows what the broker has to read.
func (f Filter) subject() string {
	switch {
	case f.Lane != "":
		bot, rest, _ := strings.Cut(string(f.Lane), ":")
		return broker.DeadLettersPrefix + "*." + bot + "." + rest
	case f.Bot != 0:
		return broker.DeadLettersPrefix + "*." + strconv.FormatInt(f.Bot, 10) + ".>"
	}
	return broker.DeadLettersPrefix + ">"
}

// All yields the dead letters that match, oldest first. A letter that cannot be
// read yields an error and does not end the series; a broken connection does.
func (d *DeadLetters) All(ctx context.Context, f Filter) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		c, err := d.conn.JetStream().OrderedConsumer(ctx, broker.StreamDeadLetters, jetstream.OrderedConsumerConfig{FilterSubjects: []string{f.subject()}})
		if err != nil {
			yield(DeadLetter{}, fmt.Errorf("read dead letters: %w", err))
			return
		}
		for {
			batch, err := c.FetchNoWait(256)
			if err != nil {
				yield(DeadLetter{}, fmt.Errorf("read dead letters: %w", err))
				return
			}
			n := 0
			for m := range batch.Messages() {
				n++
				if !yieldLetter(m, f, yield) {
					return
				}
			}
			if n == 0 || ctx.Err() != nil {
				return
			}
		}
	}
}

func yieldLetter(m jetstream.Msg, f Filter, yield func(DeadLetter, error) bool) bool {
	meta, err := m.Metadata()
	if err != nil {
		return yield(DeadLetter{}, fmt.Errorf("read dead letter: %w", err))
	}
	l, err := readDeadLetter(m.Subject(), m.Headers(), m.Data(), meta.Sequence.Stream)
	if err != nil {
		return yield(DeadLetter{ID: meta.Sequence.Stream}, err)
	}
	return !f.matches(&l) || yield(l, nil)
}

// ErrUnroutable says that a dead letter never had a lane to go back to.
var ErrUnroutable = errors.New("dead letter was never routed: it cannot be replayed, only read and dropped")

// Replay puts a dead letter back at the end of its lane and removes it. Doing it
// twice, because the first answer was lost, replays it once.
func (p *Publisher) Replay(ctx context.Context, l DeadLetter) error {
	if l.Reason == ReasonUnreadable {
		return fmt.Errorf("dead letter %d: %w", l.ID, ErrUnroutable)
	}
	u := Update{ID: l.Update, Type: l.Type, Scope: l.Scope, Lane: l.Lane, Received: l.Received, Body: l.Body, Replay: l.ID}
	if err := p.Publish(ctx, u); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", l.ID, err)
	}
	return p.dead.Drop(ctx, l.ID)
}

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

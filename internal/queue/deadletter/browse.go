package deadletter

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
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
func (f Filter) matches(l *Letter) bool {
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
func (s *Store) All(ctx context.Context, f Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		c, err := s.conn.JetStream().OrderedConsumer(ctx, broker.StreamDeadLetters, jetstream.OrderedConsumerConfig{FilterSubjects: []string{f.subject()}})
		if err != nil {
			yield(Letter{}, fmt.Errorf("read dead letters: %w", err))
			return
		}
		for {
			batch, err := c.FetchNoWait(256)
			if err != nil {
				yield(Letter{}, fmt.Errorf("read dead letters: %w", err))
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

func yieldLetter(m jetstream.Msg, f Filter, yield func(Letter, error) bool) bool {
	meta, err := m.Metadata()
	if err != nil {
		return yield(Letter{}, fmt.Errorf("read dead letter: %w", err))
	}
	l, err := decode(m.Subject(), m.Headers(), m.Data(), meta.Sequence.Stream)
	if err != nil {
		return yield(Letter{ID: meta.Sequence.Stream}, err)
	}
	return !f.matches(&l) || yield(l, nil)
}

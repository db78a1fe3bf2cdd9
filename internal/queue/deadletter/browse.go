package deadletter

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
)

// Filter selects dead letters. The zero value selects all.
type Filter struct {
	Bot    int64
	Chat   int64
	Lane   lane.Key
	Reason string
	Since  time.Time
	Until  time.Time
	After  uint64 // letters with a larger ID
	// HeadersOnly lists letters without their bodies.
	HeadersOnly bool
}

func (f Filter) mayMatch(l *Letter) bool {
	return (f.Lane == "" || l.Lane == f.Lane) && (f.Bot == 0 || l.Lane.Bot() == f.Bot) && (f.Reason == "" || l.Reason == f.Reason)
}

func (f Filter) matches(l *Letter) bool {
	return (f.Bot == 0 || l.Bot == f.Bot) &&
		(f.Chat == 0 || l.Scope.Chat == f.Chat) &&
		(f.Lane == "" || l.Lane == f.Lane) &&
		(f.Reason == "" || l.Reason == f.Reason) &&
		(f.Since.IsZero() || !l.Died.Before(f.Since)) &&
		(f.Until.IsZero() || l.Died.Before(f.Until))
}

func (f Filter) subject(n broker.Names) string {
	switch {
	case f.Lane != "":
		bot, rest, _ := strings.Cut(string(f.Lane), ":")
		return n.DeadLettersPrefix() + "*." + bot + "." + rest
	case f.Bot != 0:
		return n.DeadLettersPrefix() + "*." + strconv.FormatInt(f.Bot, 10) + ".>"
	}
	return n.DeadLettersPrefix() + ">"
}

// ErrUnreadable means that another version wrote the letter. It can still be dropped.
var ErrUnreadable = errors.New("dead letter cannot be read by this version")

// All yields the matching letters that are stored when the listing begins, oldest first. ErrUnreadable
// comes with a letter of which only ID, Lane, Partition and Reason are set, and the listing goes on; other
// errors end it. One page is in memory at a time, and nothing is open at the broker while the caller works.
func (s *Store) All(ctx context.Context, f Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		for m, err := range s.messages(ctx, f) {
			if err != nil {
				yield(Letter{}, fmt.Errorf("list dead letters: %w", err))
				return
			}
			l, err := decode(m.Subject(), m.Headers(), m.Data(), m.seq)
			matches := f.matches
			if err != nil {
				matches = f.mayMatch
			}
			if matches(&l) && !yield(l, err) {
				return
			}
		}
	}
}

type message struct {
	jetstream.Msg
	seq uint64
}

// Letters in a page: a body may have 1 MiB, headers some KiB.
const (
	pageOfBodies  = 32
	pageOfHeaders = 1000
)

func (s *Store) messages(ctx context.Context, f Filter) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		stream, err := s.conn.Stream(ctx, s.conn.Names().DeadLetters())
		if err != nil {
			yield(message{}, err)
			return
		}
		state := stream.CachedInfo().State
		for next := max(state.FirstSeq, f.After+1); next <= state.LastSeq; {
			page, err := s.page(ctx, stream, f, next)
			if err != nil {
				yield(message{}, err)
				return
			}
			for _, m := range page {
				if m.seq > state.LastSeq || !yield(m, nil) {
					return
				}
				next = m.seq + 1
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// page is empty at the end.
func (s *Store) page(ctx context.Context, stream jetstream.Stream, f Filter, from uint64) (page []message, err error) {
	size := pageOfBodies
	if f.HeadersOnly {
		size = pageOfHeaders
	}
	c, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: f.subject(s.conn.Names()), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: f.HeadersOnly,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: forgetAfter,
	})
	if err != nil {
		return nil, err
	}
	info := c.CachedInfo()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = stream.DeleteConsumer(ctx, info.Name) // else the broker forgets it later
	}()
	want := min(uint64(size), info.NumPending)
	if want == 0 {
		return nil, nil
	}
	batch, err := c.Fetch(int(want), jetstream.FetchContext(ctx))
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		if meta.Sequence.Consumer != uint64(len(page))+1 {
			return nil, errGap
		}
		page = append(page, message{m, meta.Sequence.Stream})
	}
	if err := batch.Error(); err != nil {
		return nil, err
	}
	return page, nil
}

// forgetAfter is when the broker forgets a dead reader's consumer.
const forgetAfter = time.Minute

var errGap = errors.New("letters were lost on their way: list them again")

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lifecycle"
)

const (
	lookEvery = 3 * time.Second
	lookWait  = 5 * time.Second
	// calm passes after a reconnection, and more at random, so that not all look at once.
	calm = time.Second
)

// standing keeps what must stand in the broker: streams, consumers, a state bucket. It makes
// anew what is gone. Where the broker holds another layout, it says so by readiness and calls
// blocked with the error, until that has ended and it calls blocked with nil.
type standing struct {
	*process
	topology broker.Topology
	restore  func(context.Context) error // makes what is missing
	workers  bool                        // consumers must stand, too
	blocked  func(error)

	created time.Time // of UPDATES
	wrong   string
	failed  int    // looks in a row without an answer
	oldest  uint64 // dead letter
	dropped prometheus.Counter
}

// run looks until ctx ends.
func (s *standing) run(ctx context.Context) error {
	changed := s.conn.Reconnected(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-changed:
			if !open {
				return nil
			}
			lifecycle.Sleep(ctx, calm+rand.N(calm)) //nolint:gosec // spreads the looks of many programs
		case <-tick.C:
		}
	}
}

func (s *standing) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	err := s.compare(ctx)
	if err != nil && !errors.Is(err, broker.ErrTopology) {
		if s.failed++; s.failed < 2 || s.conn.Ready(ctx) != nil {
			return // it may pass; a broker that is away has a reason of its own
		}
	} else {
		s.failed = 0
	}
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said == s.wrong {
		return
	}
	s.wrong = said
	if err == nil {
		s.tel.Health.SetReady(s.health + " streams")
		s.tel.Log.InfoContext(ctx, "streams stand again")
		s.blocked(nil)
		return
	}
	s.tel.Health.SetNotReady(s.health+" streams", said)
	s.tel.Log.ErrorContext(ctx, "streams are not as they must be", slog.String("error", said))
	if errors.Is(err, broker.ErrTopology) {
		s.blocked(err)
	}
}

// countDropped counts the dead letters that made room for new ones. A person who drops the oldest ones of a
// nearly full stream is counted, too.
func (s *standing) countDropped(ctx context.Context) {
	first, full, err := s.conn.OldestLetter(ctx)
	if err != nil {
		return
	}
	if n := first - min(s.oldest, first); full && s.oldest > 0 && n > 0 {
		s.dropped.Add(float64(n))
		s.tel.Log.ErrorContext(ctx, "dead letters are full: the oldest were dropped; replay or drop some, or raise CHATLANE_DEAD_LETTERS_MAX_BYTES",
			slog.Uint64("dropped", n))
	}
	s.oldest = first
}

// compare makes anew what is gone. A stream that was made anew is empty: what it held is lost.
func (s *standing) compare(ctx context.Context) error {
	if err := s.restore(ctx); err != nil {
		return err
	}
	created, consumers, err := s.conn.Identity(ctx)
	if err != nil {
		return err
	}
	if s.dropped != nil {
		s.countDropped(ctx)
	}
	anew := !s.created.IsZero() && !created.Equal(s.created)
	s.created = created
	if anew {
		s.tel.Log.ErrorContext(ctx, "a stream was deleted and made anew: the updates that it held are lost",
			slog.String("stream", s.conn.Names().Updates()))
	}
	if s.workers && (anew || consumers < s.topology.Partitions) {
		if err := s.conn.EnsureConsumers(ctx, s.topology); err != nil {
			return fmt.Errorf("make the consumers of the partitions: %w", err)
		}
		s.tel.Log.WarnContext(ctx, "consumers of partitions were gone and are made anew", slog.Int("found", consumers))
	}
	return nil
}

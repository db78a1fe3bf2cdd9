package app

import (
	"cmp"
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
// anew what is gone. Where the broker holds another layout, or somebody has deleted UPDATES, it says so by readiness
// and calls blocked with the error, until that has ended and it calls blocked with nil.
type standing struct {
	*process
	topology broker.Topology
	restore  restorer
	workers  bool // consumers must stand, too
	blocked  func(error)
	pause    time.Duration // before UPDATES, deleted on a steady connection, is made anew

	last    map[string]broker.Standing // by stream
	steady  uint64                     // reconnections when UPDATES was last seen
	gone    time.Time                  // when UPDATES was first missed
	wrong   string
	differs string // warned of
	failed  int    // looks in a row without an answer
	dropped prometheus.Counter
}

// restorer makes what is missing, if allow returns nil, and tells of all that stands.
type restorer func(ctx context.Context, allow func(stream string) error) ([]broker.Standing, error)

var errDeleted = errors.New("somebody has deleted the stream of updates")

// run looks until ctx ends.
func (s *standing) run(ctx context.Context) error {
	s.last = make(map[string]broker.Standing)
	s.pause = cmp.Or(s.pause, 30*time.Second)
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
	blocks := errors.Is(err, broker.ErrLayout) || errors.Is(err, errDeleted)
	if err != nil && !blocks {
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
	if blocks {
		s.blocked(err)
	}
}

// compare makes anew what is gone. A stream that was made anew is empty: what it held is lost.
func (s *standing) compare(ctx context.Context) error {
	reconnections := s.conn.Reconnections()
	found, err := s.restore(ctx, s.allow)
	var updates broker.Standing
	replaced := false
	for _, f := range found {
		anew := s.notice(ctx, f)
		if f.Stream == s.conn.Names().Updates() {
			updates, replaced = f, anew
			s.steady, s.gone = reconnections, time.Time{}
		}
	}
	if err = s.tolerate(ctx, err); err != nil {
		return err
	}
	if s.workers && (replaced || updates.Consumers < s.topology.Partitions) {
		if err := s.conn.EnsureConsumers(ctx, s.topology); err != nil {
			return fmt.Errorf("make the consumers of the partitions: %w", err)
		}
		s.tel.Log.WarnContext(ctx, "consumers of partitions were gone and are made anew", slog.Int("found", updates.Consumers))
	}
	return nil
}

// allow makes UPDATES wait if it vanished while the connection was steady: then a person has deleted it, perhaps to
// change its layout, and updates that were accepted into the old one would be in the way.
func (s *standing) allow(stream string) error {
	_, seen := s.last[stream]
	if stream != s.conn.Names().Updates() || !seen || s.conn.Reconnections() != s.steady {
		return nil
	}
	if s.gone.IsZero() {
		s.gone = time.Now()
	}
	if time.Since(s.gone) >= s.pause {
		return nil
	}
	return fmt.Errorf("%w: stream %s is made anew as it was, %s after it vanished; to change partitions or lane key, stop all programs first", errDeleted, stream, s.pause)
}

// tolerable is a difference by which updates still go where they are looked for.
func tolerable(err error) bool {
	return errors.Is(err, broker.ErrTopology) && !errors.Is(err, broker.ErrLayout)
}

// tolerate warns once of a tolerable difference, and returns any other error.
func (s *standing) tolerate(ctx context.Context, err error) error {
	if err == nil {
		s.differs = ""
	}
	if !tolerable(err) {
		return err
	}
	if said := err.Error(); said != s.differs {
		s.differs = said
		s.tel.Log.WarnContext(ctx, "the broker holds something else than configured; this program goes on, and would not start again", slog.String("error", said))
	}
	return nil
}

// notice tells of a stream that is another one than at the last look, and of dead letters that made room for new ones.
func (s *standing) notice(ctx context.Context, now broker.Standing) (replaced bool) {
	before, seen := s.last[now.Stream]
	s.last[now.Stream] = now
	if seen && !now.Created.Equal(before.Created) {
		s.tel.Log.ErrorContext(ctx, "a stream was replaced: unless it was restored from a backup, what it held is lost",
			slog.String("stream", now.Stream), slog.String("held", now.Holds))
		return true
	}
	if s.dropped == nil || now.Stream != s.conn.Names().DeadLetters() {
		return false
	}
	if n := now.Dropped(before, time.Now()); n > 0 {
		s.dropped.Add(float64(n))
		s.tel.Log.ErrorContext(ctx, "dead letters are full: the oldest were dropped; replay or drop some, or raise CHATLANE_DEAD_LETTERS_MAX_BYTES",
			slog.Uint64("dropped", n))
	}
	return false
}

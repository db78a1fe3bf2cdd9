package limit

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// event is a block, as one worker tells the others.
type event struct {
	Worker string `json:"w"`
	Bot    int64  `json:"b"`
	Chat   int64  `json:"c,omitempty"`
	Kind   string `json:"k"`
	For    int64  `json:"ms"`

	at time.Time // when it was posted, by this worker's clock
}

// board is where workers leave their events.
type board interface {
	post(ctx context.Context, e event) error
	// read returns events that it has not returned before, at most a page of them, and whether there
	// may be more. One goroutine at a time calls it.
	read(ctx context.Context) (all []event, more bool, err error)
}

// shared is a pacer that tells and learns.
type shared struct {
	*pacer
	worker string // name among the others
	board  board

	reading *sync.Mutex
}

func newShared(cfg Config, worker string) shared {
	return shared{pacer: newPacer(cfg), worker: worker, reading: &sync.Mutex{}}
}

// Block implements [Limiter]. This worker keeps the block also if the others cannot be told.
func (s *shared) Block(ctx context.Context, bot, chat int64, kind string, d time.Duration) error {
	for _, e := range s.block(ctx, call{bot, chat, kind}, d) {
		e.Worker = s.worker
		if err := s.board.post(ctx, e); err != nil {
			return fmt.Errorf("tell other workers of a block: %w", err)
		}
	}
	return nil
}

// Run implements [Limiter].
func (s *shared) Run(ctx context.Context) {
	for failed := false; ; {
		err := s.catchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failed {
			s.cfg.Logger.InfoContext(ctx, "blocks of sending that other workers meet are not known for now", slog.String("error", err.Error()))
		}
		failed = err != nil
		if pause(ctx, s.cfg.Poll*9/10+rand.N(max(s.cfg.Poll/10, 1))) != nil { //nolint:gosec // spreads load, guards nothing
			return
		}
	}
}

// catchUp learns all that is new.
func (s *shared) catchUp(ctx context.Context) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		all, more, err := s.board.read(ctx)
		for _, e := range all {
			if e.Worker != s.worker {
				s.learn(ctx, e)
			}
		}
		if err != nil || !more {
			return err
		}
	}
}

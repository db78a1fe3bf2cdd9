package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// readyAge is how long an answer about readiness is believed: probes may come from
// many sides, and each answer costs a write.
const readyAge = time.Second

// readiness is the last answer about readiness.
type readiness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ready tells whether Redis takes writes, and if not, what it said. It writes at most
// once a second, however often it is asked.
func (s *Store) Ready(ctx context.Context) error {
	s.ready.mu.Lock()
	defer s.ready.mu.Unlock()
	if time.Since(s.ready.at) < readyAge {
		return s.ready.err
	}
	err := s.Ping(ctx)
	if err != nil {
		err = fmt.Errorf("redis takes no writes: %w", cause(err))
	}
	if !errors.Is(err, context.Canceled) { // a probe that gave up says nothing about Redis
		s.ready.err, s.ready.at = err, time.Now()
	}
	return err
}

// cause is what the server said, or why it could not be asked.
func cause(err error) error {
	if refusal := redis.Error(nil); errors.As(err, &refusal) {
		return refusal
	}
	return err
}

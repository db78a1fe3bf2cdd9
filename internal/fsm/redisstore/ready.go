package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// readyAge is how long a result is reused: many probes may ask, and each result costs a write.
const readyAge = time.Second

type readiness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ready returns nil if Redis accepts writes, else the server's reason. It writes at most once a second.
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
	if !errors.Is(err, context.Canceled) { // a cancelled probe says nothing about Redis
		s.ready.err, s.ready.at = err, time.Now()
	}
	return err
}

// cause is the server's own error, or why the server could not be reached.
func cause(err error) error {
	if refusal := redis.Error(nil); errors.As(err, &refusal) {
		return refusal
	}
	return err
}

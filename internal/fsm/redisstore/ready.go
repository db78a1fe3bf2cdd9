package redisstore

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
		err = fmt.Errorf("redis takes no writes: %w", s.cause(ctx, err))
	}
	if !errors.Is(err, context.Canceled) { // a cancelled probe says nothing about Redis
		s.ready.err, s.ready.at = err, time.Now()
	}
	return err
}

// cause is the server's own error, or why the server could not be reached.
func (s *Store) cause(ctx context.Context, err error) error {
	if refusal := redis.Error(nil); errors.As(err, &refusal) {
		return refusal
	}
	if said := s.greeting(ctx); said != "" {
		return fmt.Errorf("%s: %w", said, err)
	}
	return err
}

// greetingWait is how long a server may take to refuse a connection.
const greetingWait = 200 * time.Millisecond

// greeting is the error with which a server closes each new connection, as in protected mode or at
// maxclients. The client library reports only that the connection broke.
func (s *Store) greeting(ctx context.Context) string {
	c, ok := s.client.(*redis.Client)
	if !ok {
		return ""
	}
	o := c.Options()
	conn, err := o.Dialer(ctx, cmp.Or(o.Network, "tcp"), o.Addr)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	if conn.SetReadDeadline(time.Now().Add(greetingWait)) != nil {
		return ""
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 4<<10)).ReadString('\n')
	if said, refused := strings.CutPrefix(line, "-"); refused && err == nil {
		said, _, _ = strings.Cut(strings.TrimSpace(said), ". ") // protected mode explains itself at length
		return said
	}
	return ""
}

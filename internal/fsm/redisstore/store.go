// Package redisstore keeps sessions in Redis, on a single server or a cluster.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Store keeps sessions in Redis. Safe for concurrent use.
type Store struct {
	cfg     Config
	client  redis.UniversalClient
	locker  *redislock.Client
	scripts scripts
	metrics *fsm.Metrics
	ready   readiness
}

var (
	_ fsm.Store = (*Store)(nil)
	_ fsm.Admin = (*Store)(nil)
)

// New makes a store on a client. The caller closes the client, which should have
// ContextTimeoutEnabled, as with [Dial].
func New(client redis.UniversalClient, cfg Config) *Store {
	return &Store{
		cfg: cfg.withDefaults(), client: client, locker: redislock.New(client),
		scripts: newScripts(), metrics: fsm.NewMetrics(cfg.Registerer),
	}
}

func (s *Store) Open(ctx context.Context, k fsm.Keys, at fsm.Position) (*fsm.Session, error) {
	h := s.hold(k, at)
	if err := h.obtain(ctx); err != nil {
		return nil, err
	}
	l, err := h.load(ctx)
	if err != nil {
		return nil, fsm.Undo(ctx, h, err)
	}
	return fsm.Begin(ctx, h, at, l, fsm.Lease{TTL: s.cfg.LockTTL, Since: h.since}, s.metrics)
}

func (s *Store) hold(k fsm.Keys, at fsm.Position) *hold {
	return &hold{s: s, keys: k, names: newNames(s.cfg.Prefix, k), at: at, token: fsm.Token()}
}

// lock waits for one lock until ctx ends, and calls meanwhile between two attempts. It does not
// use Obtain's own retries: without a deadline of ctx they end after the lock's TTL.
func (s *Store) lock(ctx context.Context, key, token string, meanwhile func(context.Context) error) (*redislock.Lock, error) {
	pause := s.cfg.PollMin
	for first := true; ; first = false {
		l, err := s.locker.Obtain(ctx, key, s.cfg.LockTTL, &redislock.Options{Token: token})
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, redislock.ErrNotObtained) {
			if !first && ctx.Err() != nil {
				return nil, fmt.Errorf("%w: %w", fsm.ErrBusy, context.Cause(ctx))
			}
			return nil, unavailable("lock", err)
		}
		if first {
			s.metrics.Conflict()
		}
		if err := meanwhile(ctx); err != nil {
			return nil, err
		}
		if err := fsm.Sleep(ctx, pause/2+rand.N(pause/2+1)); err != nil { //nolint:gosec // spreading load needs no secret
			return nil, fmt.Errorf("%w: %w", fsm.ErrBusy, err)
		}
		pause = min(2*pause, s.cfg.PollMax)
	}
}

// unavailable also tells a key of another type, which something else wrote, from a Redis that is away.
func unavailable(doing string, err error) error {
	if strings.HasPrefix(err.Error(), "WRONGTYPE") {
		err = fmt.Errorf("%w: %w", fsm.ErrUnreadable, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, fsm.ErrUnavailable, err)
}

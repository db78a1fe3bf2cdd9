package kvstore

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Store keeps sessions in a bucket. Safe for concurrent use.
type Store struct {
	cfg     Config
	bucket  *bucket
	metrics *fsm.Metrics
}

var (
	_ fsm.Store = (*Store)(nil)
	_ fsm.Admin = (*Store)(nil)
)

// Open creates a missing bucket. The caller closes the connection.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b, err := openBucket(ctx, js, cfg)
	if err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, bucket: b, metrics: fsm.NewMetrics(cfg.Registerer)}, nil
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
	return &hold{s: s, keys: k, at: at, token: fsm.Token(), busy: make(gate, 1)}
}

func laneKey(k fsm.Keys) string  { return "lane." + encodeKey(k.Lane) }
func stateKey(k fsm.Keys) string { return "state." + encodeKey(k.State) }

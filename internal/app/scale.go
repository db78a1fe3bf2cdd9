package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fleet"
)

// Scale is the answer of /scale.
type Scale struct {
	Unfinished uint64  `json:"unfinished"`     // updates that are stored and not finished, parked ones too
	Parked     uint64  `json:"parked"`         // of these, updates that wait for their time
	Oldest     float64 `json:"oldest_seconds"` // age of the oldest update that is not parked
	Running    int     `json:"running"`        // workers that send heartbeats
	Workers    int     `json:"workers"`        // workers wanted
}

// wanted is how many workers the oldest update's age asks for: in proportion to it, at most twice as many at
// a time, so that one late figure does not start a crowd; one fewer while the age is under half the target.
// Workers beyond the partitions have nothing to do, and more workers do not help with a few long turns.
func wanted(b broker.Backlog, running, partitions int, target time.Duration) int {
	n := max(running, 1)
	switch {
	case b.Oldest > target && b.Queued > uint64(n):
		n = min(int(math.Ceil(float64(n)*b.Oldest.Seconds()/target.Seconds())), 2*n)
	case b.Oldest < target/2:
		n--
	}
	return min(max(n, 1), partitions)
}

const scaleTTL = time.Second

// scaler serves /scale. Safe for concurrent use.
type scaler struct {
	backlog    func(context.Context) (broker.Backlog, error)
	workers    func() int
	partitions int
	target     time.Duration
	log        *slog.Logger

	mu    sync.Mutex
	last  broker.Backlog
	asked time.Time
}

func newScaler(conn *broker.Conn, census *fleet.Census, partitions int, target time.Duration, log *slog.Logger) *scaler {
	return &scaler{backlog: conn.Backlog, workers: census.Workers, partitions: partitions, target: target, log: log}
}

// ServeHTTP answers with [Scale], or with 503 while the broker does not answer: an autoscaler then keeps the
// number of workers.
func (s *scaler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := s.read(r.Context())
	if err != nil {
		s.log.DebugContext(r.Context(), "backlog is not known", slog.String("error", err.Error()))
		http.Error(w, "the broker does not answer", http.StatusServiceUnavailable)
		return
	}
	running := s.workers()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(Scale{ // the asker may have gone
		Unfinished: b.Queued + b.Parked, Parked: b.Parked, Oldest: b.Oldest.Seconds(),
		Running: running, Workers: wanted(b, running, s.partitions, s.target),
	})
}

func (s *scaler) read(ctx context.Context) (broker.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < scaleTTL {
		return s.last, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	b, err := s.backlog(ctx)
	if err == nil {
		s.last, s.asked = b, time.Now()
	}
	return b, err
}

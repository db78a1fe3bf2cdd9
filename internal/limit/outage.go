package limit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// outage spares messages a timeout each while the broker is away, and logs begin and end.
type outage struct {
	log *slog.Logger

	mu    sync.Mutex
	away  bool
	retry time.Time
}

// retryEvery is how often one message asks a broker that is away.
const retryEvery = time.Second

func (o *outage) ask() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.away && now.Before(o.retry) {
		return false
	}
	o.retry = now.Add(retryEvery)
	return true
}

func (o *outage) note(ctx context.Context, err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	away := errors.Is(err, errAway)
	if !away && err != nil {
		return false // it says nothing about the broker
	}
	if away && !o.away {
		o.log.WarnContext(ctx, "limits of sending are not shared: this worker keeps its share until the broker answers", slog.String("error", err.Error()))
	}
	if !away && o.away {
		o.log.InfoContext(ctx, "limits of sending are shared again")
	}
	o.away = away
	return away
}

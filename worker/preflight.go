package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/preflight"
)

// look examines one server's settings.
type look func(ctx context.Context) ([]preflight.Finding, error)

// brokerLook is the broker's own preflight.
func (a *assembly) brokerLook(ctx context.Context) ([]preflight.Finding, error) {
	return a.conn.Preflight(ctx, a.cfg.Broker.Topology())
}

// preflight says once in the log which settings endanger a law. A server that does
// not answer is asked again: the worker starts without it too.
func (a *assembly) preflight(ctx context.Context) {
	for _, look := range a.looks {
		for {
			found, err := a.glance(ctx, look)
			if err == nil {
				a.warn(ctx, found)
				break
			}
			again := time.NewTimer(5 * time.Second)
			select {
			case <-again.C:
			case <-ctx.Done():
				again.Stop()
				return
			}
		}
	}
}

func (a *assembly) glance(ctx context.Context, look look) ([]preflight.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return look(ctx)
}

func (a *assembly) warn(ctx context.Context, found []preflight.Finding) {
	for _, f := range found {
		attrs := []any{
			slog.String("server", f.Server), slog.String("setting", f.Setting), slog.String("have", f.Have),
			slog.String("set", f.Set), slog.String("why", f.Why),
		}
		if f.Law == 0 {
			a.tel.Log.InfoContext(ctx, "setting could be better", attrs...)
			continue
		}
		a.tel.Log.WarnContext(ctx, "a law does not hold with this setting", append(attrs, slog.Int("law", f.Law))...)
	}
}

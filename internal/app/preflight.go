package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/lifecycle"
	"github.com/chatlane/chatlane/internal/preflight"
)

type check func(ctx context.Context) ([]preflight.Finding, error)

func (w *worker) brokerCheck(ctx context.Context) ([]preflight.Finding, error) {
	return w.conn.Preflight(ctx, w.cfg.Broker.Topology())
}

// preflight logs once which settings endanger a law. It asks again while a server does not answer, since the
// worker starts without it.
func (w *worker) preflight(ctx context.Context) {
	every := lifecycle.Backoff{First: 5 * time.Second, Most: 5 * time.Second, Waiting: func(err error) {
		w.tel.Log.WarnContext(ctx, "a server does not answer, asking again every 5 s",
			slog.String("check", "CHATLANE_NATS_URL and CHATLANE_REDIS_URL"), slog.String("error", err.Error()))
	}}
	for _, check := range w.checks {
		err := every.Await(ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			found, err := check(ctx)
			if err == nil {
				w.warn(ctx, found)
			}
			return err
		})
		if err != nil {
			return // ctx has ended
		}
	}
}

func (w *worker) warn(ctx context.Context, found []preflight.Finding) {
	for _, f := range found {
		attrs := []any{
			slog.String("server", f.Server), slog.String("setting", f.Setting), slog.String("have", f.Have),
			slog.String("set", f.Set), slog.String("why", f.Why),
		}
		if f.Law == 0 {
			w.tel.Log.InfoContext(ctx, "setting could be better", attrs...)
			continue
		}
		w.tel.Log.WarnContext(ctx, "a law does not hold with this setting", append(attrs, slog.Int("law", f.Law))...)
	}
}

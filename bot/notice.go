package bot

import (
	"context"
	"log/slog"

	"github.com/mymmrac/telego"
)

// Notice is how [AutoAnswer] answers the button of a handler that has it [With] it.
type Notice struct {
	Text   string
	Alert  bool
	Before bool // answer before the handler runs, for slow ones
}

// AutoAnswer is inner middleware that answers pressed buttons which their handler
// has not answered itself, so that none is left with a progress bar. A button that
// can no longer be answered is no error.
func AutoAnswer(next Handler) Handler {
	return func(ctx context.Context, t *Turn) error {
		if t.Query() == nil {
			return next(ctx, t)
		}
		n, _ := Get[Notice](t)
		if n.Before {
			if err := t.autoAnswer(ctx, n); err != nil {
				return err
			}
		}
		if err := next(ctx, t); err != nil {
			return err
		}
		return t.autoAnswer(ctx, n)
	}
}

func (t *Turn) autoAnswer(ctx context.Context, n Notice) error {
	if t.answered {
		return nil
	}
	err := t.SendCallback(ctx, telego.AnswerCallbackQueryParams{Text: n.Text, ShowAlert: n.Alert})
	if err != nil && ctx.Err() == nil && !blameless(err) {
		t.Logger().DebugContext(ctx, "button not answered", slog.String("error", err.Error()))
		return nil
	}
	return err
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/forward"
)

func (c Worker) targets() (map[int64]forward.Target, error) {
	forwards := c.Forward.URL != ""
	for _, b := range c.Bots.All {
		forwards = forwards || b.Forward != ""
	}
	if !forwards {
		return nil, nil
	}
	targets, owner := make(map[int64]forward.Target, len(c.Bots.All)), map[string]int64{}
	wrong := []error{checkSecret(c.Forward.Secret)}
	for _, b := range c.Bots.All {
		id, t, name := b.ID(), c.target(b), "CHATLANE_FORWARD_URL"
		if b.Forward != "" {
			name = fmt.Sprintf("CHATLANE_BOTS_FILE: forward_url of bot %d", id)
		}
		if t.URL == "" {
			wrong = append(wrong, fmt.Errorf("CHATLANE_BOTS_FILE: bot %d has no forward_url, and others have; set it, or CHATLANE_FORWARD_URL", id))
			continue
		}
		if err := t.Validate(); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			continue
		}
		t = t.For(id)
		if other, taken := owner[t.URL]; taken {
			wrong = append(wrong, fmt.Errorf("%s: bots %d and %d have one address; put %s into it, or set forward_url for each", name, other, id, forward.BotID))
		}
		owner[t.URL], targets[id] = id, t
	}
	return targets, errors.Join(wrong...)
}

func checkSecret(s string) error {
	if s != "" && !regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`).MatchString(s) {
		return errors.New("CHATLANE_FORWARD_SECRET: the value is no webhook secret; set 1 to 256 letters, digits, _ or -")
	}
	return nil
}

// target prefers a bot's own address to the common one, and the common secret to the bot's own.
func (c Worker) target(b config.Bot) forward.Target {
	t := forward.Target{URL: c.Forward.URL, Secret: c.Forward.Secret}
	if b.Forward != "" {
		t.URL = b.Forward.Reveal()
	}
	if t.Secret == "" && len(b.Secrets) > 0 {
		t.Secret = b.Secrets[0].Reveal()
	}
	return t
}

func (w *worker) forwarding(ctx context.Context, own *bot.Router) *bot.Router {
	targets, err := w.cfg.targets()
	if err != nil || len(targets) == 0 { // Validate has reported the error
		return own
	}
	f := forward.New(forward.Config{Targets: targets, Connections: w.cfg.Turns.Concurrency}, w.tel.Log, w.tel.Registry)
	w.tel.Log.InfoContext(ctx, "updates are handed to a bot's own webhook", slog.Int("bots", len(targets)))
	w.OnStop("forwarding", func(context.Context) error { f.Close(); return nil })
	return f.Router()
}

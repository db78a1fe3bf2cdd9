package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/lifecycle"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/turn"
)

const (
	askFirst = 5 * time.Second
	askMost  = time.Minute
)

// identities asks the Bot API once for each name that no setting gives. The worker starts even if it does not
// answer.
func (w *worker) identities(ctx context.Context, client *api.Client) (map[int64]turn.Identity, error) {
	bots := make(map[int64]turn.Identity, len(w.cfg.Bots.All))
	for _, b := range w.cfg.Bots.All {
		token, err := api.ParseToken(b.Token.Reveal())
		if err != nil {
			return nil, fmt.Errorf("CHATLANE_BOT_TOKEN: %w", err)
		}
		id := turn.Identity{Token: token, Username: b.Username}
		if id.Username == "" {
			if id.Username, err = username(ctx, client, token); err != nil {
				w.tel.Log.WarnContext(ctx, "bot's name is not known yet: commands that name the bot are ignored until the Bot API answers",
					slog.Int64("bot", token.Bot()), slog.String("error", err.Error()))
			}
		}
		bots[token.Bot()] = id
	}
	return bots, nil
}

// learnNames goes on asking for missing names until ctx ends.
func (w *worker) learnNames(ctx context.Context, client *api.Client, bots map[int64]turn.Identity, named func(bot int64, username string)) {
	missing := make(map[int64]api.Token)
	for bot, id := range bots {
		if id.Username == "" {
			missing[bot] = id.Token
		}
	}
	if len(missing) == 0 {
		return
	}
	lifecycle.Sleep(ctx, askFirst)                                                                     // identities has just asked
	_ = lifecycle.Backoff{First: askFirst, Most: askMost}.Await(ctx, func(ctx context.Context) error { // an error is the end of ctx
		for bot, token := range missing {
			name, err := username(ctx, client, token)
			if err != nil {
				continue // identities has logged it
			}
			named(bot, name)
			delete(missing, bot)
			w.tel.Log.InfoContext(ctx, "bot's name is known now", slog.Int64("bot", bot), slog.String("username", name))
		}
		if len(missing) > 0 {
			return errNoName
		}
		return nil
	})
}

var errNoName = errors.New("a bot's name is not known yet")

func username(ctx context.Context, client *api.Client, token api.Token) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	raw, err := client.Call(ctx, token, "getMe", nil)
	if err != nil {
		return "", err
	}
	var me struct {
		Username string `json:"username"`
	}
	if err := json.Unmarshal(raw, &me); err != nil {
		return "", fmt.Errorf("read the answer of getMe: %w", err)
	}
	return me.Username, nil
}

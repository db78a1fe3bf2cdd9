package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/partition"
)

// Fleet is what the workers of an installation tell each other of their bots.
type Fleet interface {
	// Met notes that a partition has an update of a bot, so that a worker that serves the bot gets the partition.
	Met(p partition.ID, bot int64)
	// ServedElsewhere reports whether another worker serves a bot.
	ServedElsewhere(bot int64) bool
}

// Waits of a lane whose bot this worker lacks. The first ones, shorter, are in place: the partition moves within about
// a second where another worker serves the bot.
const (
	noBotWait  = 5 * time.Second
	noBotPause = 30 * time.Second // while no worker serves it
)

// errServedElsewhere comes with ErrNoBot where another worker serves the bot.
var errServedElsewhere = errors.New("another worker serves it")

// requireBot costs an update that has to wait no lock.
func (t *task) requireBot(context.Context) (progress, error) {
	bot := t.d.Scope.Bot
	if _, known := t.r.deps.Bots[bot]; known || bot == 0 {
		return goOn, nil
	}
	if t.r.deps.Fleet != nil && t.r.deps.Fleet.ServedElsewhere(bot) {
		return goOn, fmt.Errorf("bot %d: %w: %w", bot, ErrNoBot, errServedElsewhere)
	}
	return goOn, fmt.Errorf("bot %d: %w", bot, ErrNoBot)
}

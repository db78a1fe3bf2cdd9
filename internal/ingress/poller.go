package ingress

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/lifecycle"
)

// API calls methods of one bot's Bot API.
type API interface {
	Call(ctx context.Context, method string, params any) (json.RawMessage, error)
}

const (
	// pollWait is how long Telegram holds a getUpdates when there is no update.
	pollWait  = 50 * time.Second
	pollBatch = 100
	pollLanes = 16
)

// Poller receives one bot's updates by long polling. Telegram answers a second poller of a bot with 409, and
// that one retries until the other has ended.
type Poller struct {
	bot    int64
	api    API
	intake *Intake
	types  []string
	log    *slog.Logger
}

// NewPoller polls for bot through api. It takes AllowedUpdates from cfg.
func NewPoller(cfg Config, bot int64, api API, intake *Intake) *Poller {
	types := cfg.AllowedUpdates
	if types == nil {
		types = []string{} // an empty list means Telegram's default, a missing one the last list
	}
	return &Poller{bot: bot, api: api, intake: intake, types: types, log: intake.log.With(slog.Int64("bot", bot))}
}

// Run polls until ctx ends and returns nil. It confirms an offset only once every update below it is stored.
func (p *Poller) Run(ctx context.Context) error {
	var offset int64
	var failed failures
	for ctx.Err() == nil {
		updates, err := p.fetch(ctx, offset)
		if err == nil {
			offset, err = p.storeAll(ctx, updates, offset)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if failed.end() {
				p.log.InfoContext(ctx, "polling works again")
			}
		default:
			pause, news := failed.add(err)
			if news {
				p.log.WarnContext(ctx, "polling pauses", slog.String("error", err.Error()))
			}
			lifecycle.Sleep(ctx, pause)
		}
	}
	return nil
}

type getUpdates struct {
	Offset         int64    `json:"offset,omitempty"`
	Limit          int      `json:"limit"`
	Timeout        int      `json:"timeout"`
	AllowedUpdates []string `json:"allowed_updates"`
}

func (p *Poller) fetch(ctx context.Context, offset int64) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, pollWait+10*time.Second)
	defer cancel()
	result, err := p.api.Call(ctx, "getUpdates", getUpdates{
		Offset: offset, Limit: pollBatch, Timeout: int(pollWait.Seconds()), AllowedUpdates: p.types,
	})
	if err != nil {
		return nil, err
	}
	var updates []json.RawMessage
	if err := json.Unmarshal(result, &updates); err != nil {
		return nil, fmt.Errorf("read updates: %w", err)
	}
	return updates, nil
}

type polled struct {
	id     int64
	body   json.RawMessage
	stored bool
}

// errNoID means that a batch would come again for ever.
var errNoID = errors.New("updates have no id that could be confirmed")

var errNotStored = errors.New("updates were not stored")

// storeAll stores each lane in order and several in parallel. It returns the offset below which all is stored.
func (p *Poller) storeAll(ctx context.Context, updates []json.RawMessage, offset int64) (int64, error) {
	batch := make([]polled, len(updates))
	lanes := map[lane.Key][]*polled{}
	for i, body := range updates {
		batch[i] = polled{id: updateID(body), body: body}
		key := p.intake.lane(p.bot, body)
		lanes[key] = append(lanes[key], &batch[i])
	}
	var wg sync.WaitGroup
	free := make(chan struct{}, pollLanes)
	for _, updates := range lanes {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			p.storeLane(ctx, updates)
		})
	}
	wg.Wait()
	// The ids of a batch ascend. They may begin below the offset: after a week without updates Telegram may
	// restart at a lower id, and then ignores a higher offset.
	next := int64(0)
	for _, u := range batch {
		if !u.stored {
			return cmp.Or(next, offset), errNotStored
		}
		next = max(next, u.id+1)
	}
	if len(batch) > 0 && next <= 1 {
		return offset, errNoID
	}
	return cmp.Or(next, offset), nil
}

// storeLane stops at the first update that is not stored, so that no later one overtakes it.
func (p *Poller) storeLane(ctx context.Context, updates []*polled) {
	for _, u := range updates {
		result := p.intake.take(ctx, p.bot, u.body)
		if u.stored = result == accepted || result == deadLetter; !u.stored {
			return
		}
	}
}

// updateID also reads updates that cannot be routed.
func updateID(body []byte) int64 {
	var u struct {
		ID int64 `json:"update_id"`
	}
	if err := json.Unmarshal(body, &u); err != nil {
		return 0
	}
	return u.ID
}

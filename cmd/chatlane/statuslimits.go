package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/limit"
)

// limits are the limits of sending by the workers' heartbeats, and what Telegram told bots to wait.
type limits struct {
	Set   []fleet.Limits `json:"set"`  // one, unless the workers were told different ones; none: their release tells nothing
	Held  []heldBot      `json:"held"` // as a whole; chats that wait alone are not listed
	Error string         `json:"error,omitempty"`
}

type heldBot struct {
	Bot  int64   `json:"bot"`
	Left float64 `json:"seconds_left"`
}

// heldAsker asks a store of limits for the bots that are held back.
type heldAsker func(ctx context.Context, bots []int64) (map[int64]time.Duration, error)

// inBucket asks the broker; where no worker has made the bucket, nothing is held.
func inBucket(conn *broker.Conn) heldAsker {
	return func(ctx context.Context, bots []int64) (map[int64]time.Duration, error) {
		if found, err := conn.Has(ctx, "KV_"+conn.Names().LimitsBucket()); err != nil || !found {
			return nil, err
		}
		l := limit.NewNATS(conn.JetStream(), limit.Config{Bucket: conn.Names().LimitsBucket()})
		return l.Held(ctx, bots)
	}
}

func askLimits(ctx context.Context, workers []fleet.Member, ask heldAsker) limits {
	l := limits{Set: []fleet.Limits{}, Held: []heldBot{}}
	var bots []int64
	for _, w := range workers {
		if w.Limits != nil && !slices.Contains(l.Set, *w.Limits) {
			l.Set = append(l.Set, *w.Limits)
		}
		bots = append(bots, w.Bots...)
	}
	slices.Sort(bots)
	held, err := ask(ctx, slices.Compact(bots))
	if err != nil {
		l.Error = err.Error()
	}
	for bot, left := range held {
		l.Held = append(l.Held, heldBot{bot, left.Seconds()})
	}
	slices.SortFunc(l.Held, func(a, b heldBot) int { return cmp.Compare(a.Bot, b.Bot) })
	return l
}

func (l limits) print(p config.Program) {
	switch len(l.Set) {
	case 0:
		p.Printf("ceilings not told by the workers' heartbeats\n")
	case 1:
		p.Printf("ceilings %s\n", limitsText(l.Set[0]))
	default:
		p.Printf("ceilings workers were told different ones:\n")
		for _, one := range l.Set {
			p.Printf("         %s\n", limitsText(one))
		}
	}
	for _, h := range l.Held {
		p.Printf("held     bot %d sends nothing for another %s: Telegram said so\n", h.Bot, age(h.Left))
	}
	if l.Error != "" {
		p.Printf("held     not known: %s\n", l.Error)
	}
}

func limitsText(l fleet.Limits) string {
	rate := func(n int, per string) string {
		if n == 0 {
			return "none"
		}
		return strconv.Itoa(n) + per
	}
	return fmt.Sprintf("a bot %s, a chat %s (%d at once), a group %s",
		rate(l.BotPerSecond, "/s"), rate(l.ChatPerSecond, "/s"), l.ChatBurst, rate(l.GroupPerMinute, "/min"))
}

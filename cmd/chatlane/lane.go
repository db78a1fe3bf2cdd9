package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/queue/parking"
)

type laneCommand struct {
	NATS   natsContext     `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Broker broker.Settings `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`

	Bot  int64 `env:"CHATLANE_LANE_BOT" name:"bot" help:"Only lanes of this bot id."`
	JSON bool  `env:"CHATLANE_JSON" help:"Print JSON, a line each."`

	Show laneShow `cmd:"" help:"Show all that the servers have of a chat: what waits, runs, is parked or dead, its state, lock, cursor, journal and owner."`
	List laneList `cmd:"" help:"List the parked lanes: how many updates, why, since when, and the next attempt."`
	Free laneFree `cmd:"" help:"Wake parked lanes before their time."`
}

func (c *laneCommand) connect(ctx context.Context, p config.Program) (*broker.Conn, error) {
	return c.NATS.connect(ctx, p, c.Broker, "chatlane-lane")
}

// parked describes the matching parked lanes, in order of their keys, without those that are worked off meanwhile.
func (c *laneCommand) parked(ctx context.Context, conn *broker.Conn, match func(parking.Description) bool) ([]parking.Description, error) {
	lanes, err := parking.List(ctx, conn)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(lanes, func(a, b parking.Parked) int { return cmp.Compare(a.Lane, b.Lane) })
	var found []parking.Description
	for _, l := range lanes {
		if c.Bot != 0 && l.Lane.Bot() != c.Bot {
			continue
		}
		d, err := parking.Describe(ctx, conn, l)
		if errors.Is(err, parking.ErrNotParked) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if match(d) {
			found = append(found, d)
		}
	}
	return found, nil
}

type laneList struct {
	Parked bool `env:"CHATLANE_LANE_PARKED" name:"parked" help:"List the parked lanes (the only list there is)."`
}

func (*laneList) Help() string {
	return `The reason is waiting (for another attempt), flooding (more updates than its share of the partition), or empty while
the lane's updates are worked off. The next attempt is empty where only the lane's worker knows it.

Example:

  chatlane lane list --bot=123456789`
}

func (*laneList) Run(ctx context.Context, c *laneCommand, p config.Program) error {
	conn, err := c.connect(ctx, p)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	lanes, err := c.parked(ctx, conn, func(parking.Description) bool { return true })
	if err != nil {
		return err
	}
	if c.JSON {
		return printLines(p, lanes, parkedJSON)
	}
	t := list(p, "LANE", "PARTITION", "UPDATES", "REASON", "SINCE", "NEXT ATTEMPT")
	for _, l := range lanes {
		t.row(string(l.Lane), fmt.Sprintf("partition %d", l.Partition), fmt.Sprintf("%d updates", l.Updates), l.Reason, clock(l.Since), clock(l.Next))
	}
	return t.flush()
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func printLines[T, J any](p config.Program, all []T, form func(T) J) error {
	out := json.NewEncoder(p.Stdout)
	for _, one := range all {
		if err := out.Encode(form(one)); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

type parkedLane struct {
	Lane      string    `json:"lane"`
	Partition int       `json:"partition"`
	Updates   uint64    `json:"updates"`
	Reason    string    `json:"reason,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Next      time.Time `json:"next_attempt,omitzero"`
}

func parkedJSON(d parking.Description) parkedLane {
	return parkedLane{string(d.Lane), int(d.Partition), d.Updates, d.Reason, d.Since.UTC(), d.Next}
}

type laneFree struct {
	Chats  []string `arg:"" optional:"" name:"chat" help:"Chat ids, or lanes as lane list shows them. A chat id names all lanes of the chat."`
	Reason string   `env:"CHATLANE_LANE_REASON" name:"reason" enum:",waiting,flooding" default:"" help:"Only lanes that are parked for this reason: waiting or flooding."`
	All    bool     `env:"CHATLANE_LANE_ALL" name:"all" help:"Every parked lane, where neither chats nor filters are given."`
}

func (*laneFree) Help() string {
	return `Examples (-- comes before an id that begins with a minus):

  chatlane lane free 316
  chatlane lane free --bot=123456789 -- -100123456
  chatlane lane free --reason=waiting
  chatlane lane free --all`
}

func (f *laneFree) Run(ctx context.Context, c *laneCommand, p config.Program) error {
	if len(f.Chats) == 0 && c.Bot == 0 && f.Reason == "" && !f.All {
		return fmt.Errorf("%w: lane free wants chat ids or lanes, --bot or --reason, or --all for every parked lane", config.ErrUsage)
	}
	for _, chat := range f.Chats {
		if !isChat(chat) && strings.Count(chat, ":") < 2 {
			return fmt.Errorf("%w: %q is neither a chat id nor a lane; set one such as 316 or 123456789:c:316", config.ErrUsage, chat)
		}
	}
	conn, err := c.connect(ctx, p)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	named := make(map[string]bool)
	lanes, err := c.parked(ctx, conn, func(d parking.Description) bool {
		hit := len(f.Chats) == 0
		for _, chat := range f.Chats {
			if names(chat, string(d.Lane)) {
				named[chat], hit = true, true
			}
		}
		return hit && (f.Reason == "" || d.Reason == f.Reason)
	})
	if err != nil {
		return err
	}
	all := make([]error, 0, 1)
	for _, d := range lanes {
		err := parking.Free(ctx, conn, d.Partition, d.Lane)
		all = append(all, err)
		switch {
		case err != nil:
		case c.JSON:
			all = append(all, printLines(p, []parking.Description{d}, parkedJSON))
		default:
			p.Printf("%s is free\n", d.Lane)
		}
	}
	return errors.Join(append(all, f.unmatched(named, len(lanes)))...)
}

// unmatched reports chats that are named but not parked.
func (f *laneFree) unmatched(named map[string]bool, freed int) error {
	const hint = "lane list shows the lanes that are parked"
	for _, chat := range f.Chats {
		if !named[chat] {
			return fmt.Errorf("no parked lane of chat or key %s; %s", chat, hint)
		}
	}
	if freed == 0 {
		return errors.New("no parked lane matches; " + hint)
	}
	return nil
}

func isChat(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// names reports whether a chat id or a whole lane key names a lane. The chat id is the third part of its key:
// "<bot>:c:<chat>", with ":u:<user>" and so on behind it.
func names(chat, lane string) bool {
	if chat == lane {
		return true
	}
	part := strings.SplitN(lane, ":", 4)
	return len(part) > 2 && part[2] == chat && strings.Contains("cgu", part[1])
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

// deadConfig selects dead letters.
type deadConfig struct {
	Broker broker.Settings
	Bot    int64  `env:"CHATLANE_DEAD_BOT" flag:"bot" help:"Only of this bot id."`
	Chat   int64  `env:"CHATLANE_DEAD_CHAT" flag:"chat" help:"Only of this chat id."`
	Reason string `env:"CHATLANE_DEAD_REASON" flag:"reason" help:"Only with this reason: unreadable, undecoded, error, panic, timeout or crash."`
	Since  string `env:"CHATLANE_DEAD_SINCE" flag:"since" help:"Only those that died since then: a time such as 2026-01-31T08:00:00Z, or how long ago, such as 1h."`
	Until  string `env:"CHATLANE_DEAD_UNTIL" flag:"until" help:"Only those that died before then, said in the same way."`
	All    bool   `env:"CHATLANE_DEAD_ALL" flag:"all" help:"Replay or drop every dead letter, where neither ids nor filters are given."`
	JSON   bool   `env:"CHATLANE_JSON" help:"Print JSON, a line each."`
}

func (c deadConfig) filter(now time.Time) (f deadletter.Filter, err error) {
	f = deadletter.Filter{Bot: c.Bot, Chat: c.Chat, Reason: c.Reason}
	if f.Since, err = when("CHATLANE_DEAD_SINCE", c.Since, now); err != nil {
		return f, err
	}
	f.Until, err = when("CHATLANE_DEAD_UNTIL", c.Until, now)
	return f, err
}

// when reads a time, or how long ago it was; empty is no time.
func when(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%w: %s: %q is no time; set one such as 2026-01-31T08:00:00Z, or how long ago, such as 1h", errUsage, name, text)
	}
	return at, nil
}

// dead lists, shows, replays and drops dead letters.
func (p program) dead(ctx context.Context, args []string) error {
	verb, args := first(args)
	var cfg deadConfig
	ids, err := p.load(config.Command{
		Name: "chatlane dead list|show|replay|drop", Args: "[<id>...]",
		About: "dead works on dead letters: those with the given ids, else all that the filters select.",
		Notes: "replay puts updates back at the end of their lanes, oldest first.",
	}, args, &cfg)
	if err != nil {
		return err
	}
	act, ok := map[string]deadAction{"list": nil, "show": nil, "replay": replayLetter, "drop": dropLetter}[verb]
	if !ok {
		return fmt.Errorf("%w: dead list, show, replay or drop", errUsage)
	}
	filter, err := cfg.filter(time.Now())
	if err != nil {
		return err
	}
	if act != nil && len(ids) == 0 && filter == (deadletter.Filter{}) && !cfg.All {
		return fmt.Errorf("%w: dead %s wants ids or a filter, or --all for every dead letter", errUsage, verb)
	}
	conn, err := broker.Connect(ctx, cfg.Broker.Config("chatlane-dead"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	letters, pub := deadletter.New(conn), queue.NewPublisher(conn, cfg.Broker.Topology().Partitions, nil)
	filter.HeadersOnly = verb == "drop" || verb == "list" && !cfg.JSON
	unread := 0
	for l, err := range choose(ctx, letters, filter, ids, verb) {
		unreadable := errors.Is(err, deadletter.ErrUnreadable)
		if unreadable && verb == "drop" && cfg.All {
			err = nil // everything is to go, and dropping reads nothing
		}
		switch {
		case err == nil && act != nil:
			err = act(ctx, pub, letters, l)
		case unreadable && len(ids) == 0:
			unread++
			_, _ = fmt.Fprintf(p.err, "%v: skipped\n", err)
			continue
		}
		if err != nil {
			return err
		}
		p.letter(verb, cfg.JSON, l)
	}
	if unread > 0 && act != nil {
		return fmt.Errorf("%d dead letters are not of this version and were left as they are: use the version that wrote them, or drop them by id", unread)
	}
	return nil
}

// deadAction does something about one dead letter; nil only prints it.
type deadAction func(context.Context, *queue.Publisher, *deadletter.Store, deadletter.Letter) error

func replayLetter(ctx context.Context, pub *queue.Publisher, d *deadletter.Store, l deadletter.Letter) error {
	return d.Replay(ctx, pub, l)
}

func dropLetter(ctx context.Context, _ *queue.Publisher, d *deadletter.Store, l deadletter.Letter) error {
	return d.Drop(ctx, l.ID)
}

// choose yields the letters with the ids, else all that match, a page in memory at a time.
// A letter that is to be dropped by its id is not read.
func choose(ctx context.Context, letters *deadletter.Store, f deadletter.Filter, ids []string, verb string) iter.Seq2[deadletter.Letter, error] {
	if len(ids) == 0 {
		return letters.All(ctx, f)
	}
	return func(yield func(deadletter.Letter, error) bool) {
		for _, text := range ids {
			id, err := strconv.ParseUint(text, 10, 64)
			l := deadletter.Letter{ID: id}
			switch {
			case err != nil:
				err = fmt.Errorf("%w: %q is no id of a dead letter", errUsage, text)
			case verb != "drop":
				l, err = letters.Get(ctx, id)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

func (p program) letter(verb string, asJSON bool, l deadletter.Letter) {
	switch {
	case asJSON:
		line, err := json.Marshal(l)
		if err != nil {
			line = fmt.Appendf(nil, `{"ID":%d}`, l.ID)
		}
		p.printf("%s\n", line)
	case verb == "show":
		p.printf("id        %d\nbot       %d\nlane      %s\nupdate    %d (%s)\nreason    %s\nerror     %s\nattempts  %d\nreceived  %s\nfirst     %s\ndied      %s\ntrace     %s\n%s\n%s\n",
			l.ID, l.Bot, l.Lane, l.Update, l.Type, l.Reason, l.Error, l.Attempts,
			l.Received.UTC().Format(time.RFC3339), l.First.UTC().Format(time.RFC3339), l.Died.UTC().Format(time.RFC3339), l.Trace, l.Stack, l.Body)
	case verb == "drop":
		p.printf("%d\tdropped\n", l.ID)
	default:
		p.printf("%d\t%s\t%s\t%s\t%d\t%s\n", l.ID, l.Died.UTC().Format(time.RFC3339), l.Lane, l.Reason, l.Update, l.Error)
	}
}

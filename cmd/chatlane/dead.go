package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// deadCommand works on dead letters: those with the given ids, else all that the filters select.
type deadCommand struct {
	NATS   natsContext     `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Broker broker.Settings `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`

	Bot    int64  `env:"CHATLANE_DEAD_BOT" name:"bot" help:"Only of this bot id."`
	Chat   int64  `env:"CHATLANE_DEAD_CHAT" name:"chat" help:"Only of this chat id."`
	Reason string `env:"CHATLANE_DEAD_REASON" name:"reason" help:"Only with this reason: unreadable, undecoded, error, panic, timeout, refused or crash."`
	Since  string `env:"CHATLANE_DEAD_SINCE" name:"since" help:"Only those that died since then: a time such as 2026-01-31T08:00:00Z, or how long ago, such as 1h."`
	Until  string `env:"CHATLANE_DEAD_UNTIL" name:"until" help:"Only those that died before then, in the same form."`
	All    bool   `env:"CHATLANE_DEAD_ALL" name:"all" help:"Replay or drop every dead letter, where neither ids nor filters are given."`
	JSON   bool   `env:"CHATLANE_JSON" help:"Print JSON, a line each."`

	after uint64 // of dead list

	List   deadList   `cmd:"" help:"List dead letters, a line each."`
	Show   deadShow   `cmd:"" help:"Show all of a dead letter: error, stack and body too."`
	Replay deadReplay `cmd:"" help:"Put updates back at the end of their lanes, oldest first."`
	Drop   deadDrop   `cmd:"" help:"Delete dead letters."`
}

type deadList struct {
	IDs   []string `arg:"" optional:"" name:"id" help:"Ids of dead letters, as dead list shows them."`
	After uint64   `env:"CHATLANE_DEAD_AFTER" name:"after" help:"Only those with a larger id: the next page after one that --limit ended."`
	Limit int      `env:"CHATLANE_DEAD_LIMIT" name:"limit" default:"0" help:"At most so many; 0: all."`
}

// Help is the text below the summary of --help.
func (*deadList) Help() string {
	return `Bodies are not read: dead show has them.

Examples:

  chatlane dead list --chat=-100123456 --since=24h
  chatlane dead list --limit=100 --after=417`
}

// pageOfRows is how many letters are printed at once.
const pageOfRows = 1000

// Run lists.
func (c *deadList) Run(ctx context.Context, d *deadCommand, p config.Program) error {
	t := list(p, "ID", "DIED", "LANE", "REASON", "UPDATE", "ERROR")
	n, last := 0, uint64(0)
	d.after = c.After
	err := d.each(ctx, p, "list", c.IDs, func(_ *deadletter.Store, _ *queue.Publisher, l deadletter.Letter) error {
		if c.Limit > 0 && n == c.Limit {
			_, _ = fmt.Fprintf(p.Stderr, "more follow: --after=%d\n", last)
			return errEnough
		}
		n, last = n+1, l.ID
		if d.JSON {
			return printJSON(p, listedLetter{Letter: l})
		}
		if t.row(summary(l)...); n%pageOfRows == 0 {
			return t.flush()
		}
		return nil
	})
	return errors.Join(t.flush(), err)
}

// errEnough ends a listing without being a failure.
var errEnough = errors.New("no more are wanted")

func failure(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// listedLetter is a letter without its body, as JSON.
type listedLetter struct {
	deadletter.Letter
	Body *struct{} `json:",omitempty"` // hides the letter's
}

type deadShow struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of dead letters, as dead list shows them."`
}

func (*deadShow) Help() string {
	return `Example:

  chatlane dead show 17 --json | jq .Body`
}

func (c *deadShow) Run(ctx context.Context, d *deadCommand, p config.Program) error {
	return d.each(ctx, p, "show", c.IDs, func(_ *deadletter.Store, _ *queue.Publisher, l deadletter.Letter) error {
		kept, err := journal.DecodeKept(l.Journal)
		if err != nil {
			_, _ = fmt.Fprintf(p.Stderr, "dead letter %d: what it has done cannot be shown: %v\n", l.ID, err)
		}
		if d.JSON {
			return printJSON(p, shownLetter{l, kept.Done()})
		}
		p.Printf("id        %d\nbot       %d\nlane      %s\nupdate    %d (%s)\nreason    %s\nerror     %s\nattempts  %d\nreceived  %s\nfirst     %s\ndied      %s\ntrace     %s\n%s%s\n%s\n",
			l.ID, l.Bot, quoted(string(l.Lane)), l.Update, quoted(l.Type), quoted(l.Reason), quoted(l.Error), l.Attempts,
			l.Received.UTC().Format(time.RFC3339), l.First.UTC().Format(time.RFC3339), l.Died.UTC().Format(time.RFC3339), quoted(l.Trace), doneText(l, kept.Done()), quotedLines(l.Stack), quotedLines(string(l.Body)))
		return nil
	})
}

// shownLetter is a letter with what its update has done, as JSON.
type shownLetter struct {
	deadletter.Letter
	Done []journal.Done // calls and steps that a replay does not make again
}

// doneText lists what the update has done, a line each.
func doneText(l deadletter.Letter, all []journal.Done) string {
	var b strings.Builder
	if l.JournalLost {
		b.WriteString("done      more calls than a letter has place for: only replay --fresh is possible, and makes them again\n")
	}
	for _, one := range all {
		what := cmp.Or(one.Method, "a call")
		if one.Step != "" {
			what = "step " + strconv.Quote(one.Step)
		}
		if one.Urgent {
			what += " (urgent)"
		}
		_, _ = fmt.Fprintf(&b, "done      %s  %s  %s\n", one.At.UTC().Format(time.RFC3339), quoted(what), quoted(one.Result))
	}
	return b.String()
}

type deadReplay struct {
	IDs   []string `arg:"" optional:"" name:"id" help:"Ids of dead letters, as dead list shows them."`
	Fresh bool     `env:"CHATLANE_DEAD_FRESH" name:"fresh" help:"Make the calls and steps again that are done already, as dead show lists them."`
}

func (*deadReplay) Help() string {
	return `A replay goes on where its update ended: calls and steps that are done are answered as they were, and are not made again. What Telegram refused is tried again.

Examples:

  chatlane dead replay 17 18
  chatlane dead replay --bot=123456789 --reason=timeout`
}

func (c *deadReplay) Run(ctx context.Context, d *deadCommand, p config.Program) error {
	return d.each(ctx, p, "replay", c.IDs, func(s *deadletter.Store, pub *queue.Publisher, l deadletter.Letter) error {
		if err := s.Replay(ctx, pub, l, c.Fresh); err != nil {
			return err
		}
		if d.JSON {
			return printJSON(p, l)
		}
		p.Printf("%s\n", strings.Join(summary(l), "\t"))
		return nil
	})
}

type deadDrop struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of dead letters, as dead list shows them."`
}

func (*deadDrop) Help() string {
	return `Examples:

  chatlane dead drop 17
  chatlane dead drop --until=720h`
}

func (c *deadDrop) Run(ctx context.Context, d *deadCommand, p config.Program) error {
	return d.each(ctx, p, "drop", c.IDs, func(s *deadletter.Store, _ *queue.Publisher, l deadletter.Letter) error {
		if err := s.Drop(ctx, l.ID); err != nil {
			return err
		}
		p.Printf("%d\tdropped\n", l.ID)
		return nil
	})
}

// each handles the selected letters in order. Letters of another version are reported and skipped.
func (d *deadCommand) each(ctx context.Context, p config.Program, verb string, ids []string, do action) error {
	filter, err := d.filter(time.Now())
	if err != nil {
		return err
	}
	changes := verb == "replay" || verb == "drop"
	if changes && len(ids) == 0 && filter == (deadletter.Filter{}) && !d.All {
		return fmt.Errorf("%w: dead %s wants ids or a filter, or --all for every dead letter", config.ErrUsage, verb)
	}
	conn, err := d.NATS.connect(ctx, p, d.Broker, "chatlane-dead")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	store, pub := deadletter.New(conn), queue.NewPublisher(conn, d.Broker.Topology().Partitions, nil)
	filter.HeadersOnly = verb == "drop" || verb == "list"
	unread := 0
	for l, err := range choose(ctx, store, filter, ids, verb) {
		unreadable := errors.Is(err, deadletter.ErrUnreadable)
		if unreadable && verb == "drop" && d.All {
			err = nil // dropping reads no letter
		}
		if unreadable && err != nil && len(ids) == 0 {
			unread++
			_, _ = fmt.Fprintf(p.Stderr, "%s: skipped\n", quoted(err.Error()))
			continue
		}
		if err == nil {
			err = do(store, pub, l)
		}
		if err != nil {
			return failure(err)
		}
	}
	if unread > 0 && changes {
		return fmt.Errorf("%d dead letters are not of this version and were left as they are: use the version that wrote them, or drop them by id", unread)
	}
	return nil
}

type action func(*deadletter.Store, *queue.Publisher, deadletter.Letter) error

// choose yields the letters with the ids, else all that match. A letter to be dropped by id is not read.
func choose(ctx context.Context, store *deadletter.Store, f deadletter.Filter, ids []string, verb string) iter.Seq2[deadletter.Letter, error] {
	if len(ids) == 0 {
		return store.All(ctx, f)
	}
	return func(yield func(deadletter.Letter, error) bool) {
		for _, text := range ids {
			id, err := strconv.ParseUint(text, 10, 64)
			l := deadletter.Letter{ID: id}
			switch {
			case err != nil:
				err = fmt.Errorf("%w: %q is no id of a dead letter", config.ErrUsage, text)
			case verb != "drop":
				l, err = store.Get(ctx, id)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

func (d *deadCommand) filter(now time.Time) (f deadletter.Filter, err error) {
	f = deadletter.Filter{Bot: d.Bot, Chat: d.Chat, Reason: d.Reason, After: d.after}
	if f.Since, err = when("CHATLANE_DEAD_SINCE", d.Since, now); err != nil {
		return f, err
	}
	f.Until, err = when("CHATLANE_DEAD_UNTIL", d.Until, now)
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
		return at, fmt.Errorf("%w: %s: %q is no time; set one such as 2026-01-31T08:00:00Z, or how long ago, such as 1h", config.ErrUsage, name, text)
	}
	return at, nil
}

func summary(l deadletter.Letter) []string {
	return []string{
		strconv.FormatUint(l.ID, 10), l.Died.UTC().Format(time.RFC3339), quoted(string(l.Lane)), quoted(l.Reason), strconv.FormatInt(l.Update, 10), quoted(l.Error),
	}
}

func printJSON(p config.Program, l any) error {
	raw, err := json.Marshal(l)
	if err == nil {
		_, err = fmt.Fprintf(p.Stdout, "%s\n", asciiControls(raw))
	}
	if err != nil {
		return fmt.Errorf("print dead letter: %w", err)
	}
	return nil
}

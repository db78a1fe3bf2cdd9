package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/parking"
	"github.com/chatlane/chatlane/internal/telegram/journal"
)

type laneShow struct {
	Store stateStore `embed:""`

	Chat  string `arg:"" help:"Chat id, or a lane as lane list prints it. A chat id names all lanes of the chat."`
	User  int64  `env:"CHATLANE_LANE_USER" name:"user" help:"User id: whose state is shown in a group, beside those who have updates waiting."`
	Watch bool   `env:"CHATLANE_LANE_WATCH" name:"watch" help:"Print it again every 2 s, until Ctrl-C."`
}

// Help is the text below the summary of --help.
func (*laneShow) Help() string {
	return `It asks NATS and the state store, listens to the workers' heartbeats for a second, and asks no worker. It prints no text that
people wrote: state get shows the data of a state. What the servers hold changes while it is read. Examples (-- comes before an id
that begins with a minus):

  chatlane lane show --bot=123456789 316
  chatlane lane show --watch 123456789:c:316`
}

// Run prints the lanes of the chat.
func (s *laneShow) Run(ctx context.Context, c *laneCommand, p config.Program) error {
	t := target{chat: s.Chat, bot: c.Bot, user: s.User}
	if err := t.check(); err != nil {
		return err
	}
	conn, err := c.connect(ctx, p)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	census, err := fleet.NewCensus(conn)
	if err != nil {
		return err
	}
	defer census.Close()
	store, done, err := s.Store.open(ctx, conn)
	if err != nil {
		return err
	}
	defer done()
	l := looker{conn: conn, census: census, store: store, user: s.User}
	l.strategy, _ = fsm.ParseStrategy(s.Store.State.Strategy) // validated
	if l.partitions, l.by, err = conn.MadeWith(ctx); err != nil {
		return err
	}
	if err := fsm.Sleep(ctx, statusListen); err != nil {
		return err
	}
	return again(ctx, p, s.Watch, func(ctx context.Context) error { return l.show(ctx, p, t, c.JSON) })
}

// looker looks at lanes.
type looker struct {
	conn       *broker.Conn
	census     *fleet.Census
	store      fsm.Admin
	partitions int
	by         lane.By
	strategy   fsm.Strategy
	user       int64
}

// show prints the lanes of a chat as they are now.
func (l looker) show(ctx context.Context, p config.Program, t target, asJSON bool) error {
	keys, err := t.lanes(ctx, l.conn, l.by)
	if err != nil {
		return err
	}
	for i, k := range keys {
		r, err := l.look(ctx, k)
		switch {
		case err != nil:
			return err
		case asJSON:
			err = printLines(p, []laneReport{r}, func(r laneReport) laneReport { return r })
		default:
			if i > 0 {
				p.Printf("\n")
			}
			err = r.print(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shown bounds the updates, dead letters and states that are listed of a lane; all are counted.
const shown = 20

// look asks for all of one lane.
func (l looker) look(ctx context.Context, k lane.Key) (laneReport, error) {
	r := laneReport{At: time.Now().UTC(), Lane: string(k), Partition: int(partition.Of(string(k), l.partitions))}
	n := l.conn.Names()
	waiting, total, err := queue.Look(ctx, l.conn, n.Updates(), n.UpdatesPrefix(), k, shown)
	if err != nil {
		return r, err
	}
	aside, parked, err := queue.Look(ctx, l.conn, n.Parked(), n.ParkedPrefix(), k, shown)
	if err != nil {
		return r, err
	}
	r.Queued, r.Parked = total, parked
	r.Updates = append(lines(aside, "parked"), lines(waiting, "queued")...)
	if parked > 0 {
		d, err := parking.Describe(ctx, l.conn, parking.Parked{Lane: k, Partition: partition.ID(r.Partition), Updates: parked})
		if err != nil && !errors.Is(err, parking.ErrNotParked) {
			return r, err
		}
		r.ParkedFor, r.ParkedSince, r.NextAttempt = d.Reason, d.Since, d.Next
	}
	scopes := []lane.Scope{}
	if s, ok := k.Scope(); ok {
		if s.User == 0 && s.Kind == lane.KindChat && s.Chat > 0 {
			s.User = s.Chat
		}
		s.User = cmp.Or(l.user, s.User)
		scopes = append(scopes, s)
	}
	for _, u := range slices.Concat(aside, waiting) {
		scopes = append(scopes, u.Scope)
	}
	if err := l.dead(ctx, k, &r); err != nil {
		return r, err
	}
	if err := l.owner(ctx, &r); err != nil {
		return r, err
	}
	if err := l.state(ctx, k, scopes, &r); err != nil {
		return r, err
	}
	r.Doing = r.doing()
	return r, nil
}

func lines(all []queue.Stored, where string) []updateLine {
	out := make([]updateLine, 0, len(all))
	for _, u := range all {
		out = append(out, updateLine{Seq: u.Seq, Update: u.ID, Type: u.Type, User: u.Scope.User, Stored: u.Stored.UTC(), Where: where})
	}
	return out
}

func (l looker) dead(ctx context.Context, k lane.Key, r *laneReport) error {
	for letter, err := range deadletter.New(l.conn).All(ctx, deadletter.Filter{Lane: k, HeadersOnly: true}) {
		if err != nil && !errors.Is(err, deadletter.ErrUnreadable) {
			return err
		}
		if r.Dead++; len(r.Letters) == shown {
			r.Letters = r.Letters[1:] // the newest are listed
		}
		r.Letters = append(r.Letters, letterLine{ID: letter.ID, Update: letter.Update, Type: letter.Type, Reason: letter.Reason, Died: letter.Died.UTC()})
	}
	return nil
}

func (l looker) owner(ctx context.Context, r *laneReport) error {
	for _, w := range l.census.Members() {
		if slices.Contains(w.Holds, partition.ID(r.Partition)) {
			r.Owner = w.Worker
		}
	}
	all, err := l.conn.PartitionStatuses(ctx)
	for _, one := range all {
		if int(one.Partition) == r.Partition {
			r.Pinned, r.OwnedSince = one.Pinned, one.Since.UTC()
		}
	}
	return err
}

// state reads what the store has of the lane, and of the states that its updates have.
func (l looker) state(ctx context.Context, k lane.Key, scopes []lane.Scope, r *laneReport) error {
	seen := make(map[string]bool)
	for i, s := range scopes {
		keys := fsm.KeysOf(k, s, l.by, l.strategy)
		if seen[keys.State] && i > 0 || len(seen) > shown {
			continue
		}
		seen[keys.State] = true
		rec, err := l.store.Peek(ctx, keys)
		if err != nil {
			return fmt.Errorf("read lane %s: %w", k, err)
		}
		if i == 0 {
			r.fill(rec)
		}
		if keys.State != "" {
			r.States = append(r.States, stateLine{Key: keys.State, State: rec.State, Bytes: len(rec.Data)})
		}
	}
	return nil
}

// fill takes over what the store keeps of the lane.
func (r *laneReport) fill(rec fsm.Record) {
	r.Locked, r.Cursor, r.Attempts = rec.Locked, rec.Cursor, rec.Attempts
	if rec.Stream != 0 {
		r.Stream = time.Unix(0, rec.Stream).UTC()
	}
	_, r.JournalOf, _ = fsm.ParsePosition(rec.Turn)
	indexes := make([]int, 0, len(rec.Journal))
	for i := range rec.Journal {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	for _, i := range indexes {
		r.Journal = append(r.Journal, call(i, rec.Journal[i]))
	}
}

// call is an entry of the journal without what it answers, which may have a chat's text.
func call(index int, raw []byte) callLine {
	c := callLine{Index: index, Bytes: len(raw)}
	e, err := journal.Decode(raw)
	c.Method, c.At = e.Name, e.At.UTC()
	switch {
	case err != nil:
		c.Outcome = "of another version"
	case e.Status == journal.Result:
		c.Outcome = "done"
	case e.Status == journal.Refused:
		c.Outcome, c.Method = fmt.Sprintf("refused with %d", e.Refusal.Code), cmp.Or(e.Name, e.Refusal.Method)
	case e.Status == journal.Intent:
		c.Outcome = "may have been sent"
	default:
		c.Outcome = "not sent"
	}
	return c
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm"
)

// stateCommand reads and changes conversations.
type stateCommand struct {
	NATS   natsContext     `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Broker broker.Settings `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Store  stateStore      `embed:""`

	Bot    int64 `env:"CHATLANE_STATE_BOT" name:"bot" help:"Bot id, where a chat id is given and no lane."`
	User   int64 `env:"CHATLANE_STATE_USER" name:"user" help:"User id: whose conversation in a group. In a private chat it is the chat's."`
	Thread int64 `env:"CHATLANE_STATE_THREAD" name:"thread" help:"Topic of a forum, where a state is kept by topic."`
	JSON   bool  `env:"CHATLANE_JSON" help:"Print JSON, a line."`

	Get   stateGet   `cmd:"" help:"Print a conversation's state and data. Data may contain what people wrote."`
	Set   stateSet   `cmd:"" help:"Move a conversation to a state, and replace its data."`
	Clear stateClear `cmd:"" help:"End a conversation: remove its state and data."`
}

// conversation is the JSON form of a state.
type conversation struct {
	Lane   string          `json:"lane"`
	Key    string          `json:"key"`
	State  string          `json:"state"`
	Data   json.RawMessage `json:"data,omitempty"`
	Meta   json.RawMessage `json:"router,omitempty"` // what the router keeps: schema version, history, timer
	Locked bool            `json:"locked"`
}

// on opens servers, and calls do with the store and the keys of the chat's state.
func (c *stateCommand) on(ctx context.Context, p config.Program, chat string, do func(fsm.Admin, fsm.Keys) error) error {
	t := target{chat: chat, bot: c.Bot, user: c.User, thread: c.Thread}
	if err := t.check(); err != nil {
		return err
	}
	conn, err := c.NATS.connect(ctx, p, c.Broker, "chatlane-state")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, by, err := conn.MadeWith(ctx)
	if err != nil {
		return err
	}
	strategy, _ := fsm.ParseStrategy(c.Store.State.Strategy) // validated
	k, err := t.keys(by, strategy)
	if err != nil {
		return err
	}
	store, done, err := c.Store.open(ctx, conn)
	if err != nil {
		return err
	}
	defer done()
	return do(store, k)
}

type stateGet struct {
	Chat  string `arg:"" help:"Chat id, or a lane as lane show and lane list print it."`
	Watch bool   `env:"CHATLANE_STATE_WATCH" name:"watch" help:"Print it again every 2 s, until Ctrl-C."`
}

// Help is the text below the summary of --help.
func (*stateGet) Help() string {
	return `It reads without a lock: a turn that runs may change the state at once. Examples (-- comes before an id that begins with a minus):

  chatlane state get --bot=123456789 316
  chatlane state get --bot=123456789 --user=316 -- -100123456`
}

// Run prints the state.
func (g *stateGet) Run(ctx context.Context, c *stateCommand, p config.Program) error {
	return c.on(ctx, p, g.Chat, func(store fsm.Admin, k fsm.Keys) error {
		return again(ctx, p, g.Watch, func(ctx context.Context) error {
			r, err := store.Peek(ctx, k)
			if err != nil {
				return err
			}
			found := conversation{Lane: k.Lane, Key: k.State, State: r.State, Data: rawJSON(r.Data), Meta: rawJSON(r.Meta), Locked: r.Locked}
			if c.JSON {
				return printLines(p, []conversation{found}, func(f conversation) conversation { return f })
			}
			p.Printf("key     %s\nstate   %s\nlock    %s\nrouter  %s\ndata    %s\n", found.Key, orNone(found.State), held(found.Locked), orNone(string(found.Meta)), orNone(string(found.Data)))
			return nil
		})
	})
}

// rawJSON is data as JSON; what is none becomes a string.
func rawJSON(data []byte) json.RawMessage {
	if len(data) == 0 || json.Valid(data) {
		return data
	}
	text, err := json.Marshal(string(data))
	if err != nil {
		panic(err) // strings always encode
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func held(locked bool) string {
	if locked {
		return "held: a turn runs"
	}
	return "free"
}

type stateSet struct {
	Chat   string        `arg:"" help:"Chat id, or a lane as lane show and lane list print it."`
	State  string        `arg:"" help:"State as the bot names it, such as order:amount. It is not checked against the bot, whose graph command lists its states."`
	Data   string        `env:"CHATLANE_STATE_DATA" name:"data" help:"Data as JSON; - reads it from standard input. Without it the data stays, unless another flow begins."`
	Schema int           `env:"CHATLANE_STATE_SCHEMA" name:"schema" default:"-1" help:"Version of the flow's data (Flow.Version). -1: as it was; 0 where another flow begins, so that the bot migrates the data."`
	Wait   time.Duration `env:"CHATLANE_STATE_WAIT" name:"wait" default:"30s" help:"How long to wait for a running turn of the lane."`
}

// Help is the text below the summary of --help.
func (*stateSet) Help() string {
	return `The change waits for a running turn, and the next turn begins with it. No hook of the bot runs; an armed timeout does not fire,
and the new state has none until the bot sets it. Example:

  chatlane state set --bot=123456789 316 order:amount --data='{"size":"M"}'`
}

// Run sets the state.
func (s *stateSet) Run(ctx context.Context, c *stateCommand, p config.Program) error {
	data := []byte(s.Data)
	if s.Data == "-" {
		var err error
		if data, err = io.ReadAll(p.Stdin); err != nil {
			return fmt.Errorf("read data: %w", err)
		}
	}
	switch {
	case s.State == "":
		return fmt.Errorf("%w: a state cannot be empty; use state clear to end the conversation", config.ErrUsage)
	case len(data) > 0 && !json.Valid(data):
		return fmt.Errorf("%w: CHATLANE_STATE_DATA: set JSON such as {\"size\":\"M\"}", config.ErrUsage)
	}
	return c.edit(ctx, p, s.Chat, s.Wait, func(v *fsm.Conversation) error {
		stays := v.State != "" && bot.State(v.State).Flow() == bot.State(s.State).Flow()
		switch {
		case len(data) > 0:
			v.Data = data
		case !stays:
			v.Data = nil
		}
		v.State, v.Meta = s.State, routerMeta(v.Meta, stays, s.Schema)
		return nil
	})
}

// routerMeta is what the router finds beside a state that a person has set: the version of its
// data, and neither history nor timer, which belong to the way that the bot came.
func routerMeta(was []byte, stays bool, schema int) []byte {
	var m struct {
		Version int `json:"v"`
	}
	if stays {
		_ = json.Unmarshal(was, &m) // what cannot be read is of no version
	}
	if schema >= 0 {
		m.Version = schema
	}
	if m.Version == 0 {
		return nil
	}
	return fmt.Appendf(nil, `{"v":%d}`, m.Version)
}

type stateClear struct {
	Chat string        `arg:"" help:"Chat id, or a lane as lane show and lane list print it."`
	Wait time.Duration `env:"CHATLANE_STATE_WAIT" name:"wait" default:"30s" help:"How long to wait for a running turn of the lane."`
}

// Help is the text below the summary of --help.
func (*stateClear) Help() string {
	return `No hook of the bot runs, and an armed timeout does not fire. Updates that wait, the cursor and the journal stay. Example:

  chatlane state clear --bot=123456789 316`
}

// Run clears the state.
func (s *stateClear) Run(ctx context.Context, c *stateCommand, p config.Program) error {
	return c.edit(ctx, p, s.Chat, s.Wait, func(v *fsm.Conversation) error {
		*v = fsm.Conversation{}
		return nil
	})
}

// edit changes the state under its locks, and says what it waits for.
func (c *stateCommand) edit(ctx context.Context, p config.Program, chat string, wait time.Duration, change func(*fsm.Conversation) error) error {
	return c.on(ctx, p, chat, func(store fsm.Admin, k fsm.Keys) error {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if r, err := store.Peek(ctx, k); err == nil && r.Locked {
			_, _ = fmt.Fprintf(p.Stderr, "lane %s is locked: a turn runs; waiting for its end, at most %s\n", k.Lane, wait)
		}
		var was, is fsm.Conversation
		err := store.Edit(ctx, k, func(v *fsm.Conversation) error {
			was = *v
			err := change(v)
			is = *v
			return err
		})
		switch {
		case errors.Is(err, fsm.ErrBusy):
			return fmt.Errorf("nothing was changed: turns held the lane's lock for %s; lane show tells what runs, --wait waits longer: %w", wait, err)
		case errors.Is(err, fsm.ErrUnavailable):
			return fmt.Errorf("state get tells whether it was changed: %w", err)
		case err != nil:
			return err
		case c.JSON:
			return printLines(p, []changed{{k.Lane, k.State, was.State, is.State, len(is.Data)}}, func(v changed) changed { return v })
		}
		p.Printf("%s: %s, was %s; %d bytes of data, were %d\n", k.State, orNone(is.State), orNone(was.State), len(is.Data), len(was.Data))
		return nil
	})
}

// changed is the JSON form of a change, without the data.
type changed struct {
	Lane  string `json:"lane"`
	Key   string `json:"key"`
	Was   string `json:"was"`
	State string `json:"state"`
	Bytes int    `json:"data_bytes"`
}

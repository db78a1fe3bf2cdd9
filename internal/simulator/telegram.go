package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Telegram is the simulated server and the http.Handler of its Bot API. Safe for concurrent use.
type Telegram struct {
	cfg     Config
	bots    []*Bot
	byToken map[string]*Bot
	methods map[string]method
	record  *record
	faults  atomic.Pointer[func(method string, chat int64) Fault]
}

// New makes a simulated Telegram that sends nothing yet. It panics if cfg is wrong.
func New(cfg Config) *Telegram {
	if err := cfg.Validate(); err != nil {
		panic(fmt.Sprintf("simulator: %v", err)) // a wiring mistake
	}
	t := &Telegram{cfg: cfg, byToken: make(map[string]*Bot), methods: methods(), record: newRecord()}
	t.Faults(nil)
	for i, c := range cfg.bots() {
		b := newBot(t, c, cfg.Seed+uint64(i))
		t.bots = append(t.bots, b)
		t.byToken[c.Token] = b
	}
	return t
}

// Run delivers the updates of all bots with a webhook until ctx ends and no request is in flight. It returns nil.
func (t *Telegram) Run(ctx context.Context) error {
	var senders sync.WaitGroup
	for _, b := range t.bots {
		senders.Go(func() { b.send(ctx) })
	}
	senders.Wait()
	return nil
}

// Serve answers the Bot API on l and runs the senders until ctx ends, and closes l.
func (t *Telegram) Serve(ctx context.Context, l net.Listener) error {
	var running sync.WaitGroup
	running.Go(func() { _ = t.Run(ctx) }) // it always returns nil
	defer running.Wait()
	return t.ServeAPI(ctx, l, "")
}

// ServeAPI answers the Bot API on l until ctx ends, and closes l. Calls through l are recorded under the
// caller's name.
func (t *Telegram) ServeAPI(ctx context.Context, l net.Listener, caller string) error {
	srv := &http.Server{
		Handler: t, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ConnContext: withConn,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		_ = srv.Close() // what fails to close is gone already
	})
	err := srv.Serve(t.record.watch(l, caller))
	if stop() {
		return fmt.Errorf("simulated Telegram: %w", err)
	}
	<-stopped
	return nil
}

// Bot is the bot of that id, or nil.
func (t *Telegram) Bot(id int64) *Bot {
	for _, b := range t.bots {
		if b.id == id {
			return b
		}
	}
	return nil
}

// First is the first bot, which Telegram's own Person, Group, Push and Deliver use.
func (t *Telegram) First() *Bot { return t.bots[0] }

// Person is someone who talks to the first bot.
func (t *Telegram) Person(id int64, name string) *Person { return t.First().Person(id, name) }

// Group is a group of the first bot; an id below -10^12 makes it a supergroup.
func (t *Telegram) Group(id int64, title string) *Chat { return t.First().Group(id, title) }

// Say posts a person's text to the first bot in private.
func (t *Telegram) Say(user int64, name, text string) { t.Person(user, name).Say(text) }

// Push queues an update for the first bot; see [Bot.Push].
func (t *Telegram) Push(updateType string, payload any) (id int64) {
	return t.First().Push(updateType, payload)
}

// Deliver is [Bot.Deliver] of the first bot.
func (t *Telegram) Deliver(ctx context.Context, cfg WebhookConfig) { t.First().Deliver(ctx, cfg) }

// Pending counts undelivered updates of all bots, those in flight included.
func (t *Telegram) Pending() int {
	n := 0
	for _, b := range t.bots {
		n += b.Pending()
	}
	return n
}

// Idle waits until no update is pending and no second copy is under way.
func (t *Telegram) Idle(ctx context.Context) error {
	for _, b := range t.bots {
		if err := b.Idle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Calls are the calls that a filter takes, in order of execution; without filters, all executed ones.
func (t *Telegram) Calls(f ...Filter) []Call { return t.record.calls(f...) }

// Replies are the texts that the bots sent to a chat, in order and unedited.
func (t *Telegram) Replies(chat int64) []string {
	var texts []string
	for _, c := range t.Calls(Filter{Chat: chat, Sent: true}) {
		texts = append(texts, c.Text)
	}
	return texts
}

// Await calls done with the executed calls, again after each change, until it is true. done must neither keep
// the slice nor call the simulator.
func (t *Telegram) Await(ctx context.Context, done func([]Call) bool) error {
	return t.record.await(ctx, done)
}

func mustJSON(what string, v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("simulator: %s: %v", what, err)) // a wiring mistake
	}
	return b
}

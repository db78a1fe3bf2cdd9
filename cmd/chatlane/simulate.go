package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/simulator"
)

// simulateCommand is a simulated Telegram: a Bot API server, a sender of webhook requests, and people who
// count aloud with the bundled bot's /tally.
type simulateCommand struct {
	Listen string        `name:"listen" env:"CHATLANE_SIMULATE_LISTEN" default:"127.0.0.1:8081" help:"Address of the Bot API: CHATLANE_BOT_API_URL of ingress and workers. /healthz and /report are there too."`
	Token  config.Secret `env:"CHATLANE_BOT_TOKEN" help:"Token of the simulated bot; any number, a colon and text."`
	Chats  int           `name:"chats" env:"CHATLANE_SIMULATE_CHATS" min:"1" default:"50" help:"People who talk to the bot, each in a private chat."`
	Rate   float64       `name:"rate" env:"CHATLANE_SIMULATE_RATE" default:"20" help:"Texts a second, over all chats."`
	For    time.Duration `name:"for" env:"CHATLANE_SIMULATE_FOR" default:"1h" help:"How long people talk; everything they said is kept in memory. The Bot API answers until the program is stopped."`
}

func (*simulateCommand) Help() string {
	return `It sends to the webhook that ingress sets (CHATLANE_WEBHOOK_URL), or is polled. Nothing of it leaves this machine
unless the webhook does. /report tells how many texts were answered, late, twice, or wrong.

Example:

  chatlane simulate --chats=200 --rate=100
  CHATLANE_BOT_API_URL=http://127.0.0.1:8081 CHATLANE_WEBHOOK_URL=http://127.0.0.1:8080 ingress`
}

func (c *simulateCommand) Validate() error {
	var wrong []error
	if c.Chats > 100_000 {
		wrong = append(wrong, errors.New("CHATLANE_SIMULATE_CHATS: set a number from 1 to 100000, such as 50"))
	}
	if c.Rate <= 0 || c.Rate > 100_000 {
		wrong = append(wrong, errors.New("CHATLANE_SIMULATE_RATE: set a number above 0, such as 20"))
	}
	if c.For <= 0 || c.For > 24*time.Hour {
		wrong = append(wrong, errors.New("CHATLANE_SIMULATE_FOR: set a duration up to 24h, such as 1h"))
	}
	if c.Token != "" {
		if err := (simulator.Config{Token: c.Token.Reveal()}).Validate(); err != nil {
			wrong = append(wrong, errors.New("CHATLANE_BOT_TOKEN: set a number, a colon and text, such as 42:abc"))
		}
	}
	return errors.Join(wrong...)
}

func (c *simulateCommand) Run(ctx context.Context, p config.Program) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("CHATLANE_SIMULATE_LISTEN: %w; set a free address such as 127.0.0.1:8081", err)
	}
	// As in devCommand.Run: a broker that knows an id takes it for a repetition.
	telegram := simulator.New(simulator.Config{Token: c.Token.Reveal(), Seed: uint64(time.Now().UnixNano())})
	crowd := newCrowd(telegram, c.Chats, c.Rate)
	p.Printf("simulated Telegram on %s: %d chats, %g texts a second for %s\n", ln.Addr(), c.Chats, c.Rate, c.For)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return telegram.Run(ctx) })
	group.Go(func() error { return serve(ctx, ln, pages(telegram, crowd)) })
	group.Go(func() error {
		talking, stop := context.WithTimeout(ctx, c.For)
		defer stop()
		crowd.talk(talking)
		return nil
	})
	group.Go(func() error {
		every := time.NewTicker(10 * time.Second)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				p.Printf("%s\n", crowd.report())
				return nil
			case <-every.C:
				p.Printf("%s\n", crowd.report())
			}
		}
	})
	return group.Wait()
}

func pages(telegram *simulator.Telegram, crowd *crowd) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", telegram)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(crowd.report()) // the asker may have gone
	})
	return mux
}

func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("simulated Telegram: %w", err)
	}
	return nil
}

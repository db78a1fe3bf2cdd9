// Command shop is a program of its own with a worker in it: it has an HTTP server and a
// database that the bots' handlers and the server share. It needs a NATS server alone:
//
//	nats-server -js &
//	SHOP_TOKENS=111:AAA...,222:BBB... go run ./shop -database data/shop.db
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/worker"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "address of the orders page")
	database := flag.String("database", "shop.db", "file of the orders")
	broker := flag.String("nats", "nats://127.0.0.1:4222", "NATS server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := shop(ctx, *listen, *database, config(*broker, strings.Split(os.Getenv("SHOP_TOKENS"), ","))); err != nil {
		slog.ErrorContext(ctx, "shop failed", slog.String("error", err.Error()))
		os.Exit(1)
	}
}

// config has what differs from a worker's defaults.
func config(broker string, tokens []string) worker.Config {
	cfg := worker.Config{
		Grace:     10 * time.Second,
		NATS:      worker.NATS{URL: broker},
		State:     worker.State{Store: "nats"},
		Telemetry: worker.Telemetry{AdminListen: "127.0.0.1:9090", Service: "shop"},
	}
	for _, token := range tokens {
		cfg.Bots = append(cfg.Bots, worker.Bot{Token: strings.TrimSpace(token)})
	}
	return cfg
}

// shop opens what the program shares, runs it until ctx ends, and closes it last.
func shop(ctx context.Context, listen, database string, cfg worker.Config) (err error) {
	db, err := openDatabase(ctx, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	return run(ctx, listener, db, cfg)
}

// run ends when ctx does or when one of its parts fails. The worker stops first, as its
// last turns use the database; the pages answer until it has handed over.
func run(ctx context.Context, listener net.Listener, db *sql.DB, cfg worker.Config) error {
	orders := orders{db}
	server := &http.Server{Handler: pages(orders), ReadHeaderTimeout: 5 * time.Second}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	parts.Go(func() error {
		err := worker.Run(ctx, counter(orders), cfg)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, server.Shutdown(closing))
	})
	return parts.Wait()
}

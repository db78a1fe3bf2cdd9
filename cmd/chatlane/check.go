package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/preflight"
)

// checkConfig says which servers to look at, as a worker is told.
type checkConfig struct {
	Broker broker.Settings
	Redis  redisstore.Settings
	Store  string `env:"CHATLANE_STORE" default:"redis" help:"Where conversation state is kept: redis, or nats."`
	JSON   bool   `env:"CHATLANE_JSON" help:"Print JSON, a line each."`
}

// check names settings of broker and Redis under which a law would not hold.
func (p program) check(ctx context.Context, args []string) error {
	var cfg checkConfig
	if _, err := p.load(config.Command{
		Name:  "chatlane check",
		About: "check looks at the broker and at Redis, and names what a promise would suffer from, each with what to set.",
		Notes: "Exits with 1 if a law does not hold; advice alone is 0. How often a nats-server flushes to disk (sync_interval) cannot be seen by a client: look at it by hand.",
	}, args, &cfg); err != nil {
		return err
	}
	broker, err := checkBroker(ctx, cfg)
	state, err2 := checkRedis(ctx, cfg)
	found := append(broker, state...)
	if err := errors.Join(p.findings(cfg.JSON, found), err, err2); err != nil {
		return err
	}
	for _, f := range found {
		if f.Law != 0 {
			return errors.New("not every law holds with these settings")
		}
	}
	return nil
}

func checkBroker(ctx context.Context, cfg checkConfig) ([]preflight.Finding, error) {
	conn, err := broker.Connect(ctx, cfg.Broker.Config("chatlane-check"))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	return conn.Preflight(ctx, cfg.Broker.Topology())
}

func checkRedis(ctx context.Context, cfg checkConfig) ([]preflight.Finding, error) {
	if cfg.Store == "nats" {
		return nil, nil
	}
	client, err := cfg.Redis.Dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	return redisstore.New(client, redisstore.Config{WaitReplicas: cfg.Redis.WaitReplicas}).Preflight(ctx)
}

// findings prints a table, or a line of JSON each.
func (p program) findings(asJSON bool, all []preflight.Finding) error {
	if asJSON {
		out := json.NewEncoder(p.out)
		for _, f := range all {
			if err := out.Encode(f); err != nil {
				return fmt.Errorf("print findings: %w", err)
			}
		}
		return nil
	}
	if len(all) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "LAW\tSERVER\tSETTING\tHAS\tSET\tWHY")
	for _, f := range all {
		law := "advice"
		if f.Law != 0 {
			law = fmt.Sprintf("law %d", f.Law)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", law, f.Server, f.Setting, f.Have, f.Set, f.Why)
	}
	return table.Flush()
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/preflight"
)

// checkCommand finds the servers as a worker does.
type checkCommand struct {
	NATS   natsContext         `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Broker broker.Settings     `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Redis  redisstore.Settings `embed:"" prefix:"redis-" group:"Redis"`

	Store string `env:"CHATLANE_STORE" default:"redis" help:"Where conversation state is kept: redis, or nats."`
	JSON  bool   `env:"CHATLANE_JSON" help:"Print JSON, a line each."`
}

func (*checkCommand) Help() string {
	return `Each finding comes with what to set. The exit code is 1 if a law does not hold; advice alone is 0. A client
cannot see how often a nats-server flushes to disk (sync_interval): check that by hand.

Examples:

  chatlane check --nats-url=nats://nats:4222 --redis-url=redis://redis:6379/0
  chatlane check --json | jq 'select(.law > 0)'`
}

func (c *checkCommand) Run(ctx context.Context, p config.Program) error {
	found, err := c.broker(ctx, p)
	state, err2 := c.redis(ctx)
	found = append(found, state...)
	if err := errors.Join(c.print(p, found), err, err2); err != nil {
		return err
	}
	for _, f := range found {
		if f.Law != 0 {
			return errors.New("not every law holds with these settings")
		}
	}
	return nil
}

func (c *checkCommand) broker(ctx context.Context, p config.Program) ([]preflight.Finding, error) {
	conn, err := c.NATS.connect(ctx, p, c.Broker, "chatlane-check")
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	census, err := fleet.NewCensus(conn)
	if err != nil {
		return nil, err
	}
	defer census.Close()
	heard := time.After(censusWait)
	found, err := conn.Preflight(ctx, c.Broker.Topology())
	select {
	case <-heard:
	case <-ctx.Done():
	}
	return append(found, census.Differences()...), err
}

// censusWait is two heartbeats.
const censusWait = time.Second

func (c *checkCommand) redis(ctx context.Context) ([]preflight.Finding, error) {
	if c.Store == "nats" {
		return nil, nil
	}
	client, err := c.Redis.Dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	return redisstore.New(client, redisstore.Config{WaitReplicas: c.Redis.WaitReplicas}).Preflight(ctx)
}

func (c *checkCommand) print(p config.Program, all []preflight.Finding) error {
	if c.JSON {
		out := json.NewEncoder(p.Stdout)
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
	t := aligned(p, "LAW", "SERVER", "SETTING", "HAS", "SET", "WHY")
	for _, f := range all {
		law := "advice"
		if f.Law != 0 {
			law = fmt.Sprintf("law %d", f.Law)
		}
		t.row(law, f.Server, f.Setting, f.Have, f.Set, f.Why)
	}
	return t.flush()
}

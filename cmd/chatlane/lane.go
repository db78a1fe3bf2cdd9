package main

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/parking"
)

// laneConfig selects lanes.
type laneConfig struct {
	Broker broker.Settings
	Parked bool `env:"CHATLANE_LANE_PARKED" flag:"parked" help:"List the parked lanes (the only list there is)."`
}

// lane lists and frees parked lanes.
func (p program) lane(ctx context.Context, args []string) error {
	verb, args := first(args)
	var cfg laneConfig
	keys, err := p.load(config.Command{
		Name: "chatlane lane list|free", Args: "[<lane>...]",
		About: "lane list --parked shows the lanes that wait aside, with the number of their updates; lane free wakes them before their time.",
	}, args, &cfg)
	if err != nil {
		return err
	}
	if verb != "list" && verb != "free" {
		return fmt.Errorf("%w: lane list or free", errUsage)
	}
	conn, err := broker.Connect(ctx, cfg.Broker.Config("chatlane-lane"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if verb == "free" {
		for _, k := range keys {
			part := partition.Of(k, cfg.Broker.Topology().Partitions)
			if err := parking.Free(ctx, conn, part, lane.Key(k)); err != nil {
				return err
			}
			p.printf("%s is free\n", k)
		}
		return nil
	}
	lanes, err := parking.List(ctx, conn)
	for _, l := range lanes {
		p.printf("%s\tpartition %d\t%d updates\n", l.Lane, l.Partition, l.Updates)
	}
	return err
}

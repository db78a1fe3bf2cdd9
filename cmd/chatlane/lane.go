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

// laneCommand works on parked lanes.
type laneCommand struct {
	Broker broker.Settings `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`

	List laneList `cmd:"" help:"List the parked lanes, with the number of their updates."`
	Free laneFree `cmd:"" help:"Wake parked lanes before their time."`
}

func (c *laneCommand) connect(ctx context.Context) (*broker.Conn, error) {
	return broker.Connect(ctx, c.Broker.Config("chatlane-lane"))
}

type laneList struct {
	Parked bool `env:"CHATLANE_LANE_PARKED" name:"parked" help:"List the parked lanes (the only list there is)."`
}

// Help is the text below the summary of --help.
func (*laneList) Help() string {
	return `Example:

  chatlane lane list --parked`
}

// Run prints the list.
func (*laneList) Run(ctx context.Context, c *laneCommand, p config.Program) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	lanes, err := parking.List(ctx, conn)
	if err != nil {
		return err
	}
	t := list(p, "LANE", "PARTITION", "UPDATES")
	for _, l := range lanes {
		t.row(string(l.Lane), fmt.Sprintf("partition %d", l.Partition), fmt.Sprintf("%d updates", l.Updates))
	}
	return t.flush()
}

type laneFree struct {
	Lanes []string `arg:"" name:"lane" help:"Lanes, as lane list shows them."`
}

// Help is the text below the summary of --help.
func (*laneFree) Help() string {
	return `Example:

  chatlane lane free 123456789:c:42`
}

// Run frees the lanes.
func (f *laneFree) Run(ctx context.Context, c *laneCommand, p config.Program) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, k := range f.Lanes {
		if err := parking.Free(ctx, conn, partition.Of(k, c.Broker.Topology().Partitions), lane.Key(k)); err != nil {
			return err
		}
		p.Printf("%s is free\n", k)
	}
	return nil
}

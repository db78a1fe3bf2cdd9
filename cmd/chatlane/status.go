package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/limit"
)

// statusCommand asks the servers about the installation. It asks no worker.
type statusCommand struct {
	NATS   natsContext         `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Broker broker.Settings     `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Redis  redisstore.Settings `embed:"" prefix:"redis-" group:"Redis"`

	Store string `env:"CHATLANE_STORE" default:"redis" help:"Where conversation state is kept: redis, or nats."`
	JSON  bool   `env:"CHATLANE_JSON" help:"Print JSON, a line each time."`
	Watch bool   `env:"CHATLANE_STATUS_WATCH" name:"watch" help:"Print it again every 2 s, until Ctrl-C."`
}

func (*statusCommand) Help() string {
	return `It listens to the workers' heartbeats for a second. An owner is who says in its heartbeat that it holds the partition;
pinned is what the broker says. A partition that had no updates lately may have no owner. The exit code is 1 where a server does not answer.

Examples:

  chatlane status
  chatlane status --json | jq .backlog`
}

type status struct {
	At         time.Time                `json:"at"`
	Namespace  string                   `json:"namespace,omitempty"`
	NATS       health                   `json:"nats"`
	Redis      *health                  `json:"redis,omitempty"` // nil: state is kept in NATS
	Backlog    backlog                  `json:"backlog"`
	Limits     limits                   `json:"limits"`
	Streams    []broker.StreamStatus    `json:"streams"`
	Workers    []fleet.Member           `json:"workers"`
	Partitions []broker.PartitionStatus `json:"partitions"`
}

type health struct {
	Server  string `json:"server,omitempty"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"` // empty: it is well
}

type backlog struct {
	Queued uint64  `json:"queued"` // stored and not finished, parked ones not counted
	Oldest float64 `json:"oldest_seconds"`
	Parked uint64  `json:"parked"`
	Dead   uint64  `json:"dead"`
}

const (
	statusListen = time.Second // two heartbeats
	statusEvery  = 2 * time.Second
	statusWait   = 10 * time.Second // for all answers
)

func (c *statusCommand) Run(ctx context.Context, p config.Program) error {
	conn, err := c.NATS.connect(ctx, p, c.Broker, "chatlane-status")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	census, err := fleet.NewCensus(conn)
	if err != nil {
		return err
	}
	defer census.Close()
	var redis *redisstore.Store
	held := inBucket(conn)
	if c.Store != "nats" {
		client, err := c.Redis.Dial()
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		redis = redisstore.New(client, redisstore.Config{Prefix: conn.Names().RedisPrefix()})
		held = limit.NewRedis(client, limit.Config{Prefix: conn.Names().RedisPrefix()}).Held
	}
	for wait := statusListen; ; wait = statusEvery {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		s := c.ask(ctx, conn, census, redis)
		s.Limits = c.limits(ctx, s.Workers, held)
		if err := c.print(p, s); err != nil {
			return err
		}
		if !c.Watch {
			return s.err()
		}
	}
}

// ask reports what the servers answer, and names those that do not.
func (c *statusCommand) ask(ctx context.Context, conn *broker.Conn, census *fleet.Census, redis *redisstore.Store) status {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	s := status{At: time.Now().UTC(), Namespace: c.Broker.Namespace, Workers: census.Members()}
	s.NATS.Server, s.NATS.Version = conn.Server()
	var err, err2 error
	s.Streams, err = conn.Streams(ctx, c.Broker.Topology())
	s.Partitions, err2 = conn.PartitionStatuses(ctx)
	if err := errors.Join(err, err2, conn.Ready(ctx)); err != nil {
		s.NATS.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	for _, one := range s.Streams {
		switch one.Name {
		case conn.Names().Updates():
			s.Backlog.Queued, s.Backlog.Oldest = one.Messages, one.Oldest
		case conn.Names().Parked():
			s.Backlog.Parked = one.Messages
		case conn.Names().DeadLetters():
			s.Backlog.Dead = one.Messages
		}
	}
	if redis == nil {
		return s
	}
	s.Redis = &health{}
	if s.Redis.Version, err = redis.Version(ctx); err == nil {
		err = redis.Ready(ctx)
	}
	if err != nil {
		s.Redis.Error = err.Error()
	}
	return s
}

func (c *statusCommand) limits(ctx context.Context, workers []fleet.Member, held heldAsker) limits {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	return askLimits(ctx, workers, held)
}

func (s status) err() error {
	if s.NATS.Error != "" || s.Redis != nil && s.Redis.Error != "" {
		return errors.New("a server is not well")
	}
	return nil
}

func (c *statusCommand) print(p config.Program, s status) error {
	if c.JSON {
		if err := json.NewEncoder(p.Stdout).Encode(s); err != nil {
			return fmt.Errorf("print status: %w", err)
		}
		return nil
	}
	if c.Watch && isTerminal(p.Stdout) {
		p.Printf("\x1b[H\x1b[2J")
	}
	p.Printf("nats     %s\n", s.NATS)
	if s.Redis != nil {
		p.Printf("redis    %s\n", *s.Redis)
	}
	s.Limits.print(p)
	p.Printf("backlog  %d queued, the oldest for %s; %d parked; %d dead letters\n\n",
		s.Backlog.Queued, age(s.Backlog.Oldest), s.Backlog.Parked, s.Backlog.Dead)
	t := aligned(p, "STREAM", "MESSAGES", "BYTES", "BOUND", "FULL", "OLDEST", "LEADER")
	for _, one := range s.Streams {
		bound, full := "none", ""
		if one.MaxBytes > 0 {
			bound, full = strconv.FormatInt(one.MaxBytes, 10), fmt.Sprintf("%.0f%%", 100*float64(one.Bytes)/float64(one.MaxBytes))
		}
		t.row(one.Name, strconv.FormatUint(one.Messages, 10), strconv.FormatUint(one.Bytes, 10), bound, full, age(one.Oldest), one.Leader)
	}
	if err := t.flush(); err != nil {
		return err
	}
	p.Printf("\n")
	return s.printFleet(p)
}

// printFleet prints the workers with what they own, then the partitions with updates that nobody owns, or on
// which heartbeats and broker differ.
func (s status) printFleet(p config.Program) error {
	t := aligned(p, "WORKER", "RELEASE", "OWNS", "PARTITIONS")
	owner := make(map[int]bool)
	for _, w := range s.Workers {
		ids := make([]string, 0, len(w.Holds))
		for _, id := range w.Holds {
			owner[int(id)] = true
			ids = append(ids, strconv.Itoa(int(id)))
		}
		t.row(w.Worker, cmp.Or(w.Release, "unknown"), strconv.Itoa(len(w.Holds)), strings.Join(ids, " "))
	}
	if len(s.Workers) == 0 {
		t.row("none", "", "", "")
	}
	if err := t.flush(); err != nil {
		return err
	}
	odd := aligned(p, "PARTITION", "QUEUED", "HELD", "PINNED", "OWNER")
	n := 0
	for _, one := range s.Partitions {
		if one.Pinned == owner[int(one.Partition)] && (one.Pinned || one.Pending+uint64(one.Held) == 0) {
			continue
		}
		n++
		odd.row(strconv.Itoa(int(one.Partition)), strconv.FormatUint(one.Pending, 10), strconv.Itoa(one.Held),
			strconv.FormatBool(one.Pinned), map[bool]string{true: "by heartbeat", false: "none"}[owner[int(one.Partition)]])
	}
	if n == 0 {
		return nil
	}
	p.Printf("\n")
	return odd.flush()
}

func (h health) String() string {
	text := strings.TrimSpace(h.Version + " " + h.Server)
	if h.Error != "" {
		return strings.TrimSpace(text + ": " + h.Error)
	}
	return text + ": well"
}

func age(seconds float64) string {
	if seconds == 0 {
		return "0s"
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

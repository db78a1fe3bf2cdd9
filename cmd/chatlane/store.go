package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
)

// stateStore says where the workers keep state. It has to be what they were told.
type stateStore struct {
	Redis redisstore.Settings `embed:"" prefix:"redis-" group:"Redis"`
	State app.State           `embed:"" prefix:"state-" group:"Conversation state, as the workers were told"`
}

// open opens the store for a person; it creates nothing.
func (s stateStore) open(ctx context.Context, conn *broker.Conn) (store fsm.Admin, closeStore func(), err error) {
	if s.State.Store == "nats" {
		found, err := conn.Has(ctx, "KV_"+conn.Names().StateBucket())
		if err == nil && !found {
			err = fmt.Errorf("bucket %s does not exist: a worker with CHATLANE_STORE=nats makes it; set CHATLANE_STORE=redis if state is in Redis", conn.Names().StateBucket())
		}
		if err != nil {
			return nil, nil, err
		}
		store, err := kvstore.Open(ctx, conn.JetStream(), kvstore.Config{
			Bucket: conn.Names().StateBucket(), LockTTL: s.State.LockTTL, StateTTL: s.State.StateTTL,
		})
		return store, func() {}, err
	}
	client, err := s.Redis.Dial()
	if err != nil {
		return nil, nil, err
	}
	return redisstore.New(client, redisstore.Config{
		Prefix: conn.Names().RedisPrefix(), LockTTL: s.State.LockTTL, StateTTL: s.State.StateTTL, WaitReplicas: s.Redis.WaitReplicas,
	}), func() { _ = client.Close() }, nil
}

// Validate names each variable with a wrong value; Redis validates its own.
func (s stateStore) Validate() error { return s.State.Check() }

// again calls show once, or every 2 s until ctx ends. A screen is cleared before each but the first.
func again(ctx context.Context, p config.Program, watch bool, show func(context.Context) error) error {
	for first := true; ; first = false {
		if watch && !first && isTerminal(p.Stdout) {
			p.Printf("\x1b[H\x1b[2J")
		}
		asking, cancel := context.WithTimeout(ctx, statusWait)
		err := show(asking)
		cancel()
		switch {
		case ctx.Err() != nil && watch:
			return nil
		case err != nil || !watch:
			return err
		}
		select {
		case <-time.After(statusEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

package app

import (
	"context"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/limit"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/turn"
)

func (w *worker) openState(ctx context.Context) (limit.Limiter, error) {
	if w.cfg.State.Store == storeNATS {
		return w.openBucket(ctx)
	}
	return w.openRedis()
}

func (w *worker) openBucket(ctx context.Context) (limit.Limiter, error) {
	cfg := w.bucketConfig()
	cfg.Registerer = w.tel.Registry
	err := w.await(ctx, "waiting for the state bucket", streamsCheck, func(ctx context.Context) error {
		store, err := kvstore.Open(ctx, w.conn.JetStream(), cfg)
		if err == nil {
			w.store = store
		}
		return err
	})
	return limit.NewNATS(w.conn.JetStream(), w.limits()), err
}

func (w *worker) bucketConfig() kvstore.Config {
	t := w.cfg.Broker.Topology()
	return kvstore.Config{
		Bucket: w.conn.Names().StateBucket(), MaxBytes: t.StateMaxBytes, Replicas: t.Replicas,
		LockTTL: w.cfg.State.LockTTL, StateTTL: w.cfg.State.StateTTL,
	}
}

// restore makes the streams, and the state bucket where there is one, unless they stand.
func (w *worker) restore(ctx context.Context, allow func(string) error) ([]broker.Standing, error) {
	found, differs := w.conn.Restore(ctx, w.cfg.Broker.Topology(), allow)
	if w.cfg.State.Store != storeNATS || differs != nil && !tolerable(differs) {
		return found, differs
	}
	if _, err := kvstore.Open(ctx, w.conn.JetStream(), w.bucketConfig()); err != nil {
		return found, err
	}
	bucket, err := w.conn.Standing(ctx, "KV_"+w.conn.Names().StateBucket(), "states of conversations, cursors and journals of lanes")
	if err != nil {
		return found, err
	}
	return append(found, bucket), differs
}

func (w *worker) openRedis() (limit.Limiter, error) {
	client, err := w.cfg.Redis.Dial()
	if err != nil {
		return nil, err
	}
	w.OnStop("redis connection", func(context.Context) error { return client.Close() })
	store := redisstore.New(client, redisstore.Config{
		Prefix:  w.conn.Names().RedisPrefix(),
		LockTTL: w.cfg.State.LockTTL, StateTTL: w.cfg.State.StateTTL, WaitReplicas: w.cfg.Redis.WaitReplicas, Registerer: w.tel.Registry,
	})
	w.tel.Health.Check("redis", store.Ready)
	w.store, w.checks = store, append(w.checks, store.Preflight)
	return limit.NewRedis(client, w.limits()), nil
}

func (w *worker) limits() limit.Config {
	l := w.cfg.Limits
	return limit.Config{
		Prefix: w.conn.Names().RedisPrefix(), Bucket: w.conn.Names().LimitsBucket(),
		BotPerSecond: max(l.Bot, 0), ChatPerSecond: max(l.Chat, 0), ChatBurst: l.Burst, GroupPerMinute: max(l.Group, 0),
		BulkPerSecond: l.BulkBot, BulkChatPerSecond: l.BulkChat, BulkGroupPerMinute: l.BulkGroup,
		Replicas: w.cfg.Broker.Topology().Replicas, Logger: w.tel.Log, Registerer: w.tel.Registry,
	}
}

func (w *worker) turnConfig() turn.Config {
	strategy, _ := fsm.ParseStrategy(w.cfg.State.Strategy) // validated
	t := w.cfg.Turns
	return turn.Config{
		LaneKey: w.cfg.Broker.By(), Strategy: strategy, Deadline: t.Deadline, MaxAttempts: t.MaxAttempts,
		MinBackoff: t.MinBackoff, ParkAfter: t.ParkAfter, FloodWait: t.FloodWait, AnswerWithin: update.AnswerWithin, SkipAfter: w.cfg.skipAfter(),
	}
}

// about is what the heartbeats tell people.
func (w *worker) about() fleet.About {
	l := w.limits()
	return fleet.About{
		Release: config.Release(),
		Limits:  &fleet.Limits{BotPerSecond: l.BotPerSecond, ChatPerSecond: l.ChatPerSecond, ChatBurst: l.ChatBurst, GroupPerMinute: l.GroupPerMinute},
	}
}

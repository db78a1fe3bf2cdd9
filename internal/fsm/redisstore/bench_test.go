package redisstore_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
)

// trips counts round trips: one for a command, one for a pipeline.
type trips struct{ n atomic.Uint64 }

func (c *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}

// BenchmarkTurn runs against a server that flushes its append-only file to disk on each write.
func BenchmarkTurn(b *testing.B) {
	client, err := redisstore.Dial(redistest.Start(b).URL)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	count := &trips{}
	client.AddHook(count)
	fsmtest.Bench(b, redisstore.New(client, redisstore.Config{}), count.n.Load)
}

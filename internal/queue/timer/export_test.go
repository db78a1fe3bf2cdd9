package timer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/queue"
)

// StreamMessages is -1 if the stream cannot be seen.
func StreamMessages(ctx context.Context, c *broker.Conn, stream string) int {
	s, err := c.JetStream().Stream(ctx, stream)
	if err != nil {
		return -1
	}
	return int(s.CachedInfo().State.Msgs)
}

// Limit bounds UPDATES, in bytes.
func Limit(ctx context.Context, c *broker.Conn, size int64) error {
	s, err := c.JetStream().Stream(ctx, broker.Names{}.Updates())
	if err != nil {
		return err
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes = size
	_, err = c.JetStream().UpdateStream(ctx, cfg)
	return err
}

// RelayWithoutAck is a worker that dies right after relaying one timer.
func RelayWithoutAck(ctx context.Context, t *Scheduler) error {
	c, err := t.conn.JetStream().CreateOrUpdateConsumer(ctx, broker.Names{}.Timers(), jetstream.ConsumerConfig{
		Durable: relayName, FilterSubject: broker.Names{}.FiredPrefix() + ">", AckPolicy: jetstream.AckExplicitPolicy, AckWait: relayWait, MaxDeliver: -1,
	})
	if err != nil {
		return err
	}
	m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
	if err != nil {
		return err
	}
	if result, err := t.store(ctx, m); err != nil || result != firedStored {
		return fmt.Errorf("relayed: %s, %w", result, err)
	}
	return nil
}

func SetBrokerClock(t *Scheduler, broker time.Time) {
	t.seen = view{broker: broker, here: time.Now()}
}

// Schedule is when an armed timer fires; zero if there is none.
func Schedule(ctx context.Context, c *broker.Conn, t Timer) time.Time {
	s, err := c.JetStream().Stream(ctx, broker.Names{}.Timers())
	if err != nil {
		return time.Time{}
	}
	m, err := s.GetLastMsgForSubject(ctx, t.subject(broker.Names{}))
	if err != nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, strings.TrimPrefix(queue.HeaderValue(m.Header, headerSchedule), "@at "))
	if err != nil {
		return time.Time{}
	}
	return at
}

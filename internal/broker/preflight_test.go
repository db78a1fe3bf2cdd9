package broker_test

import (
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

func TestPreflightNamesWhatBreaksALaw(t *testing.T) {
	t.Parallel()
	updates := func(change func(*jetstream.StreamConfig)) jetstream.StreamConfig {
		c := jetstream.StreamConfig{
			Name: broker.Names{}.Updates(), Subjects: []string{"updates.>"}, Retention: jetstream.WorkQueuePolicy,
			Discard: jetstream.DiscardNew, Duplicates: 10 * time.Minute,
		}
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name   string
		stream *jetstream.StreamConfig // that stands there; nil: as Ensure makes it
		want   map[string]int          // setting: law
	}{
		{"as made", nil, map[string]int{}},
		{"in memory", new(updates(func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage })), map[string]int{"stream UPDATES: storage": 5}},
		{"drops the oldest", new(updates(func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld })), map[string]int{"stream UPDATES: discard": 5}},
		{"forgets ids", new(updates(func(c *jetstream.StreamConfig) { c.Duplicates = time.Second })), map[string]int{"stream UPDATES: duplicate_window": 2}},
		{"another number of partitions", new(updates(func(c *jetstream.StreamConfig) { c.Metadata = map[string]string{"chatlane.partitions": "7"} })), map[string]int{"stream UPDATES": 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{natstest.Start(t).Option()}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
			if tt.stream == nil {
				err = c.Ensure(t.Context(), one)
			} else {
				_, err = c.JetStream().CreateStream(t.Context(), *tt.stream)
			}
			if err != nil {
				t.Fatal(err)
			}
			found, err := c.Preflight(t.Context(), one)
			if err != nil {
				t.Fatal(err)
			}
			laws, advised := make(map[string]int), false
			for _, f := range found {
				if f.Server == "" || f.Set == "" || f.Have == "" || f.Why == "" {
					t.Errorf("does not say what to do: %+v", f)
				}
				if f.Law != 0 {
					laws[f.Setting] = f.Law
				}
				advised = advised || f.Setting == "stream UPDATES: num_replicas"
			}
			if !maps.Equal(laws, tt.want) || !advised {
				t.Errorf("found %v, want %v and the advice to have three replicas: %v", laws, tt.want, advised)
			}
		})
	}
}

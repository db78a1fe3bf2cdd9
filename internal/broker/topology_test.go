package broker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

func TestEnsureRefusesWhatDiffers(t *testing.T) {
	s := natstest.Start(t)
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for range 2 {
		if err := c.Ensure(t.Context(), broker.Topology{Partitions: 4}); err != nil {
			t.Fatal(err)
		}
	}
	err = c.Ensure(t.Context(), broker.Topology{Partitions: 8})
	if !errors.Is(err, broker.ErrTopology) {
		t.Fatalf("other partition count: %v, want ErrTopology", err)
	}
	for _, word := range []string{"CHATLANE_PARTITIONS", `"4"`, `"8"`, "UPDATES"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %s", err, word)
		}
	}
}

// Ingress names the lanes, and workers guard their states: both must mean the same.
func TestEnsureRefusesAnotherLaneKeyAndSize(t *testing.T) {
	s := natstest.Start(t)
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.Ensure(t.Context(), broker.Settings{LaneKey: "chat_user"}.Topology()); err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string]broker.Settings{
		"CHATLANE_LANE_KEY":         {LaneKey: "chat"},
		"CHATLANE_STREAM_MAX_BYTES": {LaneKey: "chat_user", StreamMaxBytes: 2 << 30},
	} {
		if err := c.Ensure(t.Context(), settings.Topology()); !errors.Is(err, broker.ErrTopology) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want ErrTopology that names %s", err, name)
		}
	}
}

// A stream that refuses when it is full cannot carry message schedules, so timers
// need a stream of their own. If this fails, they may move in with the updates.
func TestBrokerRefusesSchedulesWithDiscardNew(t *testing.T) {
	s := natstest.Start(t)
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	_, err = c.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "BOTH", Subjects: []string{"both.>"}, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, AllowMsgSchedules: true, AllowMsgTTL: true,
	})
	if err == nil {
		t.Error("the broker took message schedules together with DiscardNew")
	}
}

func TestServerTooOldForTimersIsNamed(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"2.11.9": "timers need 2.12", "2.12.3": "takeover needs 2.14", "2.14.0": "", "2.15.2": ""} {
		found := ""
		for _, f := range broker.Outdated(version) {
			if f.Law != 0 {
				found += f.Why
			}
		}
		if (want == "") != (found == "") || !strings.Contains(found, want) {
			t.Errorf("%s: found %q, want %q", version, found, want)
		}
	}
}

func TestStreamWithoutSchedulesIsRefused(t *testing.T) {
	t.Parallel()
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{natstest.Start(t).Option()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := broker.MakeTimersWithoutSchedules(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	err = c.Ensure(t.Context(), one)
	if !errors.Is(err, broker.ErrTopology) || !strings.Contains(err.Error(), "message schedules") {
		t.Errorf("a stream TIMERS that takes no schedules: %v", err)
	}
}

package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Topology is what must stand in the broker before anything flows.
type Topology struct {
	Partitions          int   // fixed for the life of the stream; 0 means 64
	Replicas            int   // 0 means 1
	DeadLettersMaxBytes int64 // size at which DEADLETTERS refuses; 0 means 1 GiB
	// TimersMaxBytes is kept by the workers: the broker takes no schedules in a stream that refuses. 0 means 256 MiB.
	TimersMaxBytes int64
	StateMaxBytes  int64         // size at which a state bucket refuses; 0 means 1 GiB
	MaxBytes       int64         // of UPDATES; 0 means 1 GiB. Full means refused, not dropped
	Window         int           // unacknowledged updates of a partition; 0 means 256
	PinTTL         time.Duration // silence after which a partition changes hands; 0 means 2 s
	LaneKey        lane.By       // as ingress names lanes; fixed like the partitions
	AckWait        time.Duration // longer than any turn: owners retry, not the broker; 0 means 1 h
	DeadLetterAge  time.Duration // how long dead letters are kept; 0 means 30 days
}

func (t Topology) withDefaults() Topology {
	t.Partitions = cmp.Or(t.Partitions, 64)
	t.Replicas = cmp.Or(t.Replicas, 1)
	t.MaxBytes = cmp.Or(t.MaxBytes, 1<<30)
	t.DeadLettersMaxBytes = cmp.Or(t.DeadLettersMaxBytes, 1<<30)
	t.TimersMaxBytes = cmp.Or(t.TimersMaxBytes, 256<<20)
	t.StateMaxBytes = cmp.Or(t.StateMaxBytes, 1<<30)
	t.Window = cmp.Or(t.Window, 256)
	t.PinTTL = cmp.Or(t.PinTTL, 2*time.Second)
	t.AckWait = cmp.Or(t.AckWait, time.Hour)
	t.DeadLetterAge = cmp.Or(t.DeadLetterAge, 30*24*time.Hour)
	return t
}

var (
	ErrTopology = errors.New("broker holds something else than configured")
	// ErrLayout is an ErrTopology by which updates would be stored or looked for elsewhere.
	ErrLayout = fmt.Errorf("%w, another layout", ErrTopology)
)

var errNotAllowed = errors.New("stream is gone")

const (
	metaPartitions = "chatlane.partitions"
	metaHash       = "chatlane.hash"
	metaLaneKey    = "chatlane.lane_key"
	hashName       = "xxh64"

	duplicateWindow = 10 * time.Minute
)

// Ensure creates the streams that are missing, and compares the others. Processes may call it at once.
func (c *Conn) Ensure(ctx context.Context, t Topology) error {
	t = t.withDefaults()
	for _, want := range t.streams(c.names) {
		if _, err := c.ensureStream(ctx, want, func(string) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

func (t Topology) streams(n Names) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: n.Updates(), Subjects: []string{n.UpdatesPrefix() + ">"},
			Description: "updates that wait for their turn, by partition, bot and lane",
			Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardNew, MaxBytes: t.MaxBytes, Duplicates: duplicateWindow,
			Replicas: t.Replicas, AllowDirect: true,
			Metadata: map[string]string{metaPartitions: strconv.Itoa(t.Partitions), metaHash: hashName, metaLaneKey: t.LaneKey.String()},
		},
		{
			Name: n.DeadLetters(), Subjects: []string{n.DeadLettersPrefix() + ">"},
			Description: "updates that used up their attempts or could not be read",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardOld, MaxBytes: t.DeadLettersMaxBytes, MaxAge: t.DeadLetterAge, Duplicates: duplicateWindow,
			Replicas: t.Replicas, AllowDirect: true,
		},
		{
			Name: n.Parked(), Subjects: []string{n.ParkedPrefix() + ">"},
			Description: "updates of parked lanes, in order",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardNew, MaxBytes: t.MaxBytes, Duplicates: duplicateWindow,
			Replicas: t.Replicas, AllowDirect: t.Replicas == 1, // a lagging replica would hide what is parked
		},
		{
			// The broker takes no schedules in a stream that refuses, and a limit would drop the oldest
			// timers. So there is none here, and the workers keep TimersMaxBytes.
			Name: n.Timers(), Subjects: []string{n.TimersPrefix() + ">", n.FiredPrefix() + ">"},
			Description: "armed timers, by bot, conversation and token, and fired ones that are not relayed yet",
			Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardOld, Duplicates: duplicateWindow,
			Replicas: t.Replicas, AllowDirect: true, AllowMsgSchedules: true,
		},
	}
}

// ensureStream makes a missing stream, if allow returns nil. A stream that differs is returned with an ErrTopology.
func (c *Conn) ensureStream(ctx context.Context, want jetstream.StreamConfig, allow func(stream string) error) (*jetstream.StreamInfo, error) {
	if v := c.nc.ConnectedServerVersion(); want.AllowMsgSchedules && older(v, 12) {
		return nil, fmt.Errorf("%w: nats-server is %s, and timers need its message schedules; upgrade it to 2.14 or later, 2.15 in production", ErrTopology, v)
	}
	s, err := c.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := allow(want.Name); err != nil {
			return nil, fmt.Errorf("%w: %w", errNotAllowed, err)
		}
		s, err = c.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = c.js.Stream(ctx, want.Name) // another process came first
		}
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == errCodeNoStorage {
		return nil, fmt.Errorf("stream %s: the broker has no room for %d bytes on %d servers: raise max_file_store, or lower its bound: %w", want.Name, want.MaxBytes, want.Replicas, err)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	info := s.CachedInfo()
	if want.Name == c.names.DeadLetters() && (info.Config.MaxBytes != want.MaxBytes || info.Config.Discard != want.Discard) {
		bounded, err := c.bound(ctx, info, want.MaxBytes)
		if err != nil {
			return info, err
		}
		info = bounded
	}
	return info, c.names.compareStream(info.Config, want)
}

const errCodeNoStorage = 10047 // the broker's "insufficient storage resources available"

// bound sets a first or a higher limit, if the stream is smaller: else the broker would drop messages. From then on
// the broker drops the oldest at the limit.
func (c *Conn) bound(ctx context.Context, info *jetstream.StreamInfo, limit int64) (*jetstream.StreamInfo, error) {
	cfg := info.Config
	if lower := cfg.MaxBytes > 0 && cfg.MaxBytes > limit; lower {
		return info, nil // compareStream refuses it
	}
	if used := int64(info.State.Bytes); cfg.MaxBytes <= 0 && used > limit-limit/8 {
		return nil, fmt.Errorf("%w: stream %s has no limit yet and holds %d bytes, too many for a limit of %d; set %s higher, or replay or drop dead letters first",
			ErrTopology, cfg.Name, used, limit, c.names.boundName(cfg.Name))
	}
	cfg.MaxBytes, cfg.Discard = limit, jetstream.DiscardOld
	s, err := c.js.UpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("limit stream %s to %d bytes: %w", cfg.Name, limit, err)
	}
	c.log.InfoContext(ctx, "stream has a new limit", slog.String("stream", cfg.Name), slog.Int64("bytes", limit))
	return s.CachedInfo(), nil
}

func (n Names) boundName(stream string) string {
	switch stream {
	case n.DeadLetters():
		return "CHATLANE_DEAD_LETTERS_MAX_BYTES"
	case n.Timers():
		return "CHATLANE_TIMERS_MAX_BYTES"
	}
	return "CHATLANE_STREAM_MAX_BYTES"
}

// compareStream names the first difference that would break a promise or surprise an operator, those of the
// layout before others.
func (n Names) compareStream(have, want jetstream.StreamConfig) error {
	type diff struct{ what, have, want string }
	layout := []diff{
		{"CHATLANE_PARTITIONS", have.Metadata[metaPartitions], want.Metadata[metaPartitions]},
		{"CHATLANE_LANE_KEY", have.Metadata[metaLaneKey], want.Metadata[metaLaneKey]},
		{"lane hash", have.Metadata[metaHash], want.Metadata[metaHash]},
		{"retention", have.Retention.String(), want.Retention.String()},
		{"subjects", fmt.Sprint(slices.Sorted(slices.Values(have.Subjects))), fmt.Sprint(slices.Sorted(slices.Values(want.Subjects)))},
	}
	others := []diff{
		{"discard policy", have.Discard.String(), want.Discard.String()},
		{"storage", have.Storage.String(), want.Storage.String()},
		{"CHATLANE_STREAM_REPLICAS", strconv.Itoa(have.Replicas), strconv.Itoa(want.Replicas)},
		{"message schedules", strconv.FormatBool(have.AllowMsgSchedules), strconv.FormatBool(want.AllowMsgSchedules)},
		{n.boundName(want.Name), limitText(have.MaxBytes), limitText(want.MaxBytes)},
		{"duplicate window", have.Duplicates.String(), want.Duplicates.String()},
	}
	for i, d := range slices.Concat(layout, others) {
		if d.have == d.want {
			continue
		}
		kind := ErrTopology
		if i < len(layout) {
			kind = ErrLayout
		}
		return fmt.Errorf("%w: stream %s has %s %q, configured is %q; set it to what the stream has, or change the stream (partitions and lane key: only while all programs are stopped and nothing is queued)",
			kind, want.Name, d.what, d.have, d.want)
	}
	return nil
}

func limitText(n int64) string { // the broker says -1 for none
	if n <= 0 {
		return "none"
	}
	return strconv.FormatInt(n, 10)
}

// EnsureConsumers creates each partition's pinned consumer, or updates it.
func (c *Conn) EnsureConsumers(ctx context.Context, t Topology) error {
	t = t.withDefaults()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range t.Partitions {
		g.Go(func() error { return c.ensureConsumer(ctx, t, partition.ID(i)) })
	}
	return g.Wait()
}

func (c *Conn) ensureConsumer(ctx context.Context, t Topology, p partition.ID) error {
	want := jetstream.ConsumerConfig{
		Durable:         ConsumerName(p),
		FilterSubject:   c.names.UpdatesPrefix() + strconv.Itoa(int(p)) + ".>",
		AckPolicy:       jetstream.AckExplicitPolicy,
		AckWait:         t.AckWait,
		MaxDeliver:      -1,
		MaxAckPending:   t.Window,
		PriorityPolicy:  jetstream.PriorityPolicyPinned,
		PriorityGroups:  []string{PinGroup},
		PinnedTTL:       t.PinTTL,
		MaxWaiting:      512,
		MaxRequestBatch: 0,
	}
	_, err := c.js.CreateConsumer(ctx, c.names.Updates(), want)
	if errors.Is(err, jetstream.ErrConsumerExists) {
		// Window and pin may be tuned between releases; the last to start decides.
		_, err = c.js.UpdateConsumer(ctx, c.names.Updates(), want)
	}
	if err != nil {
		return fmt.Errorf("consumer %s: %w", want.Durable, err)
	}
	return nil
}

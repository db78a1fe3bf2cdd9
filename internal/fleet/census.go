package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/preflight"
)

// censusLimit bounds how many workers a census counts: names are not authenticated.
const censusLimit = 4096

// Member is a worker by its last heartbeat.
type Member struct {
	Worker string         `json:"worker"`
	Holds  []partition.ID `json:"holds"` // the partitions that it owns
	Seen   time.Time      `json:"seen"`  // when the heartbeat arrived

	Bots []int64 `json:"bots,omitempty"` // that it serves; empty: it does not say

	About // zero of a worker whose release tells nothing
}

// Census counts the workers by their heartbeats, in a process that is no worker. Safe for concurrent use.
type Census struct {
	sub *nats.Subscription

	mu   sync.Mutex
	seen map[string]Member // by name
}

// NewCensus subscribes to the heartbeats.
func NewCensus(conn *broker.Conn) (*Census, error) {
	c := &Census{seen: make(map[string]Member)}
	sub, err := conn.NATS().Subscribe(conn.Names().Presence(), c.receive)
	if err != nil {
		return nil, fmt.Errorf("subscribe to presence: %w", err)
	}
	c.sub = sub
	return c, nil
}

func (c *Census) Close() { _ = c.sub.Unsubscribe() }

func (c *Census) receive(m *nats.Msg) {
	var b beat
	if json.Unmarshal(m.Data, &b) != nil || b.Worker == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.Leaving {
		delete(c.seen, b.Worker)
		return
	}
	if _, known := c.seen[b.Worker]; known || len(c.seen) < censusLimit {
		one := Member{Worker: b.Worker, Holds: b.Holds, Seen: time.Now(), Bots: b.Bots}
		if b.About != nil {
			one.About = *b.About
		}
		c.seen[b.Worker] = one
	}
}

// censusTTL is several heartbeats, so that a busy machine does not look like a lost worker.
const censusTTL = 5 * time.Second

func (c *Census) Workers() int { return len(c.Members()) }

// Members are the workers whose heartbeat is at most 5 s old, by name.
func (c *Census) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.seen, func(_ string, m Member) bool { return time.Since(m.Seen) > censusTTL })
	return slices.SortedFunc(maps.Values(c.seen), func(a, b Member) int { return strings.Compare(a.Worker, b.Worker) })
}

// Differences are findings about workers that lack a bot which others serve.
func (c *Census) Differences() []preflight.Finding {
	members := c.Members()
	all := make(map[int64]bool)
	for _, m := range members {
		for _, bot := range m.Bots {
			all[bot] = true
		}
	}
	var found []preflight.Finding
	for _, m := range members {
		var lacks []string
		for _, bot := range slices.Sorted(maps.Keys(all)) {
			if len(m.Bots) > 0 && !slices.Contains(m.Bots, bot) {
				lacks = append(lacks, strconv.FormatInt(bot, 10))
			}
		}
		if len(lacks) > 0 {
			found = append(found, preflight.Finding{
				Server: "worker " + m.Worker, Setting: "CHATLANE_BOTS_FILE or CHATLANE_BOT_TOKEN", Have: "lacks bot " + strings.Join(lacks, ", "),
				Set: "the bots of the other workers", Why: "updates of a bot wait for a worker that serves it; such workers carry its partitions alone",
			})
		}
	}
	return found
}

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/preflight"
)

// Preflight returns the settings under which a law does not hold, each with the right value, and
// those that it could not read. In a cluster it checks each master.
func (s *Store) Preflight(ctx context.Context) ([]preflight.Finding, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return s.examine(ctx, s.client, false)
	}
	var mu sync.Mutex
	var all []preflight.Finding
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		found, err := s.examine(ctx, node, true)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	})
	if err != nil && strings.Contains(err.Error(), "cluster support disabled") {
		return []preflight.Finding{{
			Server: "redis", Setting: "CHATLANE_REDIS_URL", Have: "redis+cluster://", Set: "redis://", Law: 3,
			Why: "the server is no cluster: no turn can commit",
		}}, nil
	}
	return all, err
}

type server struct {
	info   map[string]string
	config map[string]string // empty if CONFIG is refused, as by managed servers
}

func (s *Store) examine(ctx context.Context, c redis.UniversalClient, cluster bool) ([]preflight.Finding, error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("read settings of redis: %w", err)
	}
	have := server{info: parseInfo(text), config: make(map[string]string)}
	for _, name := range []string{"maxmemory", "maxmemory-policy", "appendonly", "appendfsync"} {
		values, err := c.ConfigGet(ctx, name).Result()
		if refused := redis.Error(nil); err != nil && !errors.As(err, &refused) {
			return nil, fmt.Errorf("read settings of redis: %w", err)
		}
		if v, ok := values[name]; ok && err == nil {
			have.config[name] = v
		}
	}
	found := have.findings(s.cfg.WaitReplicas, cluster)
	for i := range found {
		found[i].Server = "redis " + address(c)
	}
	return found, nil
}

func address(c redis.UniversalClient) string {
	one, ok := c.(*redis.Client)
	switch {
	case !ok:
		return ""
	case one.Options().Addr == "FailoverClient": // go-redis knows the address only when it dials
		return "master"
	}
	return one.Options().Addr
}

func parseInfo(text string) map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all
}

// setting is a value of CONFIG, or of INFO if CONFIG is refused.
func (s server) setting(setting, info string) string {
	if v, ok := s.config[setting]; ok {
		return v
	}
	return s.info[info]
}

func (s server) findings(wait int, cluster bool) []preflight.Finding {
	all := append(s.eviction(), s.persistence()...)
	all = append(all, s.replication(wait)...)
	if is := s.info["cluster_enabled"] == "1"; is && !cluster {
		all = append(all, preflight.Finding{
			Setting: "CHATLANE_REDIS_URL", Have: "redis://", Set: "redis+cluster://", Law: 3,
			Why: "the server is one of a cluster: turns whose keys are elsewhere cannot commit",
		})
	}
	if v := s.info["redis_version"]; olderThan(v, 6, 2) {
		all = append(all, preflight.Finding{Setting: "redis_version", Have: v, Set: "7.0 or later", Why: "Chatlane is not tested with it"})
	}
	return all
}

func (s server) eviction() []preflight.Finding {
	const keep = "noeviction"
	f := preflight.Finding{Setting: "maxmemory-policy", Have: s.setting("maxmemory-policy", "maxmemory_policy"), Set: keep}
	switch limit := s.setting("maxmemory", "maxmemory"); {
	case f.Have == keep:
		return nil
	case f.Have == "":
		f.Have, f.Why = "unknown", "check it by hand: another policy drops cursors, and updates are answered twice"
	case limit == "0":
		f.Why = "nothing is dropped without maxmemory; with it cursors would be, and updates answered twice"
	default:
		f.Law, f.Why = 3, "a full server drops cursors and journals: updates are answered twice"
	}
	return []preflight.Finding{f}
}

func (s server) persistence() []preflight.Finding {
	on := s.setting("appendonly", "aof_enabled")
	switch on {
	case "no", "0":
		return []preflight.Finding{{
			Setting: "appendonly", Have: "no", Set: "yes", Law: 3,
			Why: "a restart forgets conversations and cursors, and updates are answered twice",
		}}
	case "":
		return []preflight.Finding{{Setting: "appendonly", Have: "unknown", Set: "yes", Why: "check it by hand: without it a restart forgets cursors"}}
	}
	f := preflight.Finding{Setting: "appendfsync", Have: s.config["appendfsync"], Set: "always, or everysec with replicas"}
	switch f.Have {
	case "always":
		return nil
	case "everysec":
		f.Set = "always; or replicas, and CHATLANE_REDIS_WAIT_REPLICAS=1"
		f.Why = "what was committed in the last second is lost when Redis and the workers die at once (seen: 1 of 200 chats in 1 of 2 trials; with always none)"
	case "":
		f.Have, f.Why = "unknown", "CONFIG is refused: check it by hand"
	default:
		f.Law, f.Why = 3, "a loss of power takes half a minute of commits with it"
	}
	return []preflight.Finding{f}
}

func (s server) replication(wait int) []preflight.Finding {
	if role := s.info["role"]; role != "master" && role != "" {
		return []preflight.Finding{{Setting: "role", Have: role, Set: "the address of the master", Law: 3, Why: "a replica takes no writes: no turn can commit"}}
	}
	n, err := strconv.Atoi(s.info["connected_slaves"])
	switch f := (preflight.Finding{Setting: "CHATLANE_REDIS_WAIT_REPLICAS", Have: strconv.Itoa(wait)}); {
	case err != nil:
		return nil
	case wait > n:
		f.Set, f.Law = strconv.Itoa(n)+", or more replicas", 3
		f.Why = fmt.Sprintf("the server has %d replicas: no commit counts", n)
		return []preflight.Finding{f}
	case n > 0 && wait == 0:
		f.Set, f.Why = "1", "a failover may forget commits that no replica had"
		return []preflight.Finding{f}
	}
	return nil
}

// olderThan takes an unreadable version for not older.
func olderThan(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(second)
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}

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

// Preflight names the settings under which a law would not hold, each with what to
// set, and what could not be looked at. Of a cluster it looks at each master.
func (s *Store) Preflight(ctx context.Context) ([]preflight.Finding, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return s.lookAt(ctx, s.client, false)
	}
	var mu sync.Mutex
	var all []preflight.Finding
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		found, err := s.lookAt(ctx, node, true)
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

// server is what one Redis tells of itself.
type server struct {
	info   map[string]string
	config map[string]string // empty where CONFIG is refused, as managed servers do
}

// lookAt examines one server.
func (s *Store) lookAt(ctx context.Context, c redis.UniversalClient, cluster bool) ([]preflight.Finding, error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("look at redis: %w", err)
	}
	have := server{info: parseInfo(text), config: make(map[string]string)}
	for _, name := range []string{"maxmemory", "maxmemory-policy", "appendonly", "appendfsync"} {
		values, err := c.ConfigGet(ctx, name).Result()
		if refused := redis.Error(nil); err != nil && !errors.As(err, &refused) {
			return nil, fmt.Errorf("look at redis: %w", err)
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

// parseInfo reads INFO's lines of name:value.
func parseInfo(text string) map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all
}

// either is a setting, or where CONFIG is refused what INFO says of it.
func (s server) either(setting, info string) string {
	if v, ok := s.config[setting]; ok {
		return v
	}
	return s.info[info]
}

func (s server) findings(wait int, cluster bool) []preflight.Finding {
	all := append(s.memory(), s.files()...)
	all = append(all, s.copies(wait)...)
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

// memory looks at what is dropped when memory is full.
func (s server) memory() []preflight.Finding {
	const keep = "noeviction"
	f := preflight.Finding{Setting: "maxmemory-policy", Have: s.either("maxmemory-policy", "maxmemory_policy"), Set: keep}
	switch limit := s.either("maxmemory", "maxmemory"); {
	case f.Have == keep:
		return nil
	case f.Have == "":
		f.Have, f.Why = "not to be seen", "look at it by hand: another policy drops cursors, and updates are answered twice"
	case limit == "0":
		f.Why = "nothing is dropped without maxmemory; with it cursors would be, and updates answered twice"
	default:
		f.Law, f.Why = 3, "a full server drops cursors and journals: updates are answered twice"
	}
	return []preflight.Finding{f}
}

// files looks at what is left after a restart.
func (s server) files() []preflight.Finding {
	on := s.either("appendonly", "aof_enabled")
	switch on {
	case "no", "0":
		return []preflight.Finding{{
			Setting: "appendonly", Have: "no", Set: "yes", Law: 3,
			Why: "a restart forgets conversations and cursors, and updates are answered twice",
		}}
	case "":
		return []preflight.Finding{{Setting: "appendonly", Have: "not to be seen", Set: "yes", Why: "look at it by hand: without it a restart forgets cursors"}}
	}
	f := preflight.Finding{Setting: "appendfsync", Have: s.config["appendfsync"], Set: "always, or everysec with replicas"}
	switch f.Have {
	case "always":
		return nil
	case "everysec":
		f.Set = "always; or replicas, and CHATLANE_REDIS_WAIT_REPLICAS=1"
		f.Why = "what was committed in the last second is lost when Redis and the workers die at once (seen: 1 of 200 chats in 1 of 2 trials; with always none)"
	case "":
		f.Have, f.Why = "not to be seen", "CONFIG is refused: look at it by hand"
	default:
		f.Law, f.Why = 3, "a loss of power takes half a minute of commits with it"
	}
	return []preflight.Finding{f}
}

// copies looks at what is left after a failover.
func (s server) copies(wait int) []preflight.Finding {
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

// olderThan compares "7.0.15" with a major and minor version; what it cannot read is not older.
func olderThan(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(second)
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}

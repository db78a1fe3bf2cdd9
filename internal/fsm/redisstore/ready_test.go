package redisstore_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
)

func TestReadinessWritesOnceASecondHoweverOftenItIsAsked(t *testing.T) {
	c := dial(t, redistest.Start(t).URL)
	s := redisstore.New(c, redisstore.Config{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := s.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	stats := c.Info(t.Context(), "commandstats").Val()
	if !strings.Contains(stats, "cmdstat_set:calls=1,") && !strings.Contains(stats, "cmdstat_set:calls=2,") { // a second may pass meanwhile
		t.Errorf("50 probes wrote more than once: %s", stats)
	}
}

func TestReadinessSaysWhatRedisSaid(t *testing.T) {
	c := dial(t, redistest.Start(t, "--min-replicas-to-write", "1").URL)
	err := redisstore.New(c, redisstore.Config{}).Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "redis takes no writes: NOREPLICAS") {
		t.Errorf("not ready because of %v", err)
	}
}

package redisstore_test

import (
	"io"
	"net"
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

// A server that closes each connection with a word of its own is quoted. Protected mode does so,
// but only to other machines; the limit of clients does so here, too.
func TestReadinessSaysWithWhatRedisRefusesConnections(t *testing.T) {
	server := redistest.Start(t)
	admin := dial(t, server.URL)
	if err := admin.ConfigSet(t.Context(), "maxclients", "1").Err(); err != nil {
		t.Fatal(err)
	}
	err := redisstore.New(dial(t, server.URL), redisstore.Config{}).Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "max number of clients reached") {
		t.Errorf("not ready because of %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "-DENIED Redis is running in protected mode because protected mode is enabled. In this mode\r\n")
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close() })
	err = redisstore.New(dial(t, "redis://"+ln.Addr().String()), redisstore.Config{}).Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "redis takes no writes: DENIED Redis is running in protected mode") {
		t.Errorf("not ready because of %v", err)
	}
}

// A login that is refused for a while, rights that were taken away, and a master that became
// a replica are mended at the server alone: the client goes on by itself.
func TestStoreGoesOnWhenTheServerIsRightAgain(t *testing.T) {
	for name, c := range map[string]struct {
		wrong, right []any
		says         string
	}{
		"password": {
			[]any{"ACL", "SETUSER", "bot", "resetpass", ">other"}, []any{"ACL", "SETUSER", "bot", "resetpass", ">secret"}, "WRONGPASS",
		},
		"rights":  {[]any{"ACL", "SETUSER", "bot", "-@write"}, []any{"ACL", "SETUSER", "bot", "+@all"}, "NOPERM"},
		"replica": {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}, "READONLY"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			admin := dial(t, server.URL)
			do := func(args ...any) {
				t.Helper()
				if err := admin.Do(t.Context(), args...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			do("ACL", "SETUSER", "bot", "on", ">secret", "~*", "&*", "+@all")
			bot := dial(t, strings.Replace(server.URL, "redis://", "redis://bot:secret@", 1))
			ready := func() error { return redisstore.New(bot, redisstore.Config{}).Ready(t.Context()) } // without the last result
			if err := ready(); err != nil {
				t.Fatal(err)
			}
			do(c.wrong...)
			_ = admin.Do(t.Context(), "CLIENT", "KILL", "USER", "bot").Err() // a connection that is open stays logged in
			for range 600 {                                                  // more failures than the pool has connections
				if err := ready(); err == nil || !strings.Contains(err.Error(), c.says) && !strings.Contains(err.Error(), "EOF") {
					t.Fatalf("readiness says %v, want %s", err, c.says)
				}
			}
			do(c.right...)
			if err := ready(); err != nil {
				t.Errorf("not ready again: %v", err)
			}
		})
	}
}

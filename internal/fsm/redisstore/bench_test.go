package redisstore_test

import (
	"testing"

	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
)

// BenchmarkTurn runs against a server that flushes its append-only file to disk on each write.
func BenchmarkTurn(b *testing.B) {
	client, err := redisstore.Dial(redistest.Start(b).URL)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	fsmtest.Bench(b, redisstore.New(client, redisstore.Config{}), redistest.Trips(client))
}

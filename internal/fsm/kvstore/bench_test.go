package kvstore_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/testport"
)

// BenchmarkTurn runs against a server in the same process, on files.
func BenchmarkTurn(b *testing.B) {
	br := &broker{dir: b.TempDir(), port: testport.Free(b)}
	br.start(b)
	defer br.stop()
	nc, err := nats.Connect("", nats.InProcessServer(br.s))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	s, err := kvstore.Open(b.Context(), js, kvstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	// Every message out is a request that is waited for.
	fsmtest.Bench(b, s, func() uint64 { return nc.Stats().OutMsgs })
}

package memstore_test

import (
	"testing"

	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
)

func BenchmarkTurn(b *testing.B) { fsmtest.Bench(b, memstore.New(memstore.Config{}), nil) }

package memstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsThePromises(t *testing.T) {
	fsmtest.Run(t, func(*testing.T) fsmtest.Harness { return memstore.NewHarness() })
}

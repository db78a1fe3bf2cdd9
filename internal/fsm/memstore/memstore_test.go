package memstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsThePromises(t *testing.T) {
	fsmtest.Run(t, func(*testing.T) fsmtest.Harness { return memstore.NewHarness() })
}

func TestLockOutlivesALongTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{})
		k := fsm.Keys{Lane: "42:c:2", Home: "42:c:2", State: "42:u:7", StateHome: "42:u:7", Shared: true}
		session, err := s.Open(t.Context(), k, fsm.Position{Stream: 1, Seq: 1})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := session.Commit(t.Context()); err != nil {
			t.Errorf("commit after an hour: %v", err)
		}
	})
}

func TestLockOfADeadHolderIsFreeAfterItsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := memstore.NewHarness()
		dead, next := h.Process(t, fsmtest.Config{}), h.Process(t, fsmtest.Config{})
		k, at := fsm.Keys{Lane: "42:c:2", Home: "42:c:2"}, fsm.Position{Stream: 1, Seq: 1}
		lost, err := dead.Store.Open(t.Context(), k, at)
		if err != nil {
			t.Fatal(err)
		}
		dead.Cut()
		began := time.Now()
		session, err := next.Store.Open(t.Context(), k, at)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 2*time.Second {
			t.Errorf("waited %v, want the TTL of 2s", d)
		}
		synctest.Wait()
		select {
		case <-lost.Lost():
		default:
			t.Error("the dead holder has not noticed")
		}
		_ = lost.Close(t.Context()) // it is cut off
		if err := session.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

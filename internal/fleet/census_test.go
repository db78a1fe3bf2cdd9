package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fleet"
)

func TestCensusCountsLiveWorkers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := newCrew(t, s, 4)
		census, err := fleet.NewCensus(c.public)
		if err != nil {
			t.Fatal(err)
		}
		defer census.Close()
		expect := func(when string, after time.Duration, want int) {
			t.Helper()
			time.Sleep(after) // virtual
			synctest.Wait()
			if n := census.Workers(); n != want {
				t.Errorf("%s: %d workers, want %d", when, n, want)
			}
		}
		expect("at first", time.Second, 0)
		a, b := c.join(), c.join()
		expect("two joined", time.Second, 2)
		a.stop()
		expect("one left", time.Second, 1)
		b.conn.Close(t.Context()) // without a last heartbeat
		expect("one died just now", time.Second, 1)
		expect("one died long ago", 5*time.Second, 0)
	})
}

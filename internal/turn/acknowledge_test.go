package turn_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
)

func TestUpdateIsAcknowledgedOnlyAfterItsCommit(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("b")
		b.Message(func(context.Context, *bot.Turn) error {
			for name := range r.conn.JetStream().StreamNames(t.Context()).Name() {
				if strings.HasPrefix(name, "KV_") { // the commit finds no store
					_ = r.conn.JetStream().DeleteStream(t.Context(), name)
				}
			}
			return nil
		})
		r.work(b)
		r.say(1, "hi")
		time.Sleep(time.Second)
		synctest.Wait()
		s, err := r.conn.JetStream().Stream(t.Context(), broker.Names{}.Updates())
		if err != nil {
			t.Fatal(err)
		}
		if n := s.CachedInfo().State.Msgs; n != 1 {
			t.Errorf("%d updates in the stream, want the one that is not committed", n)
		}
	})
}

package turn_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/turn"
)

// orders is a program whose flow has a version.
func orders(version int) *bot.Router {
	b := bot.New("orders")
	if version > 1 {
		b.Flow("order").Version(version, func(_ int, s bot.State, data json.RawMessage) (bot.State, json.RawMessage, error) {
			return s, data, nil
		})
	} else {
		b.Flow("order")
	}
	b.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Answer(ctx, t.Text()); err != nil {
			return err
		}
		return t.SetState(ctx, "order:amount")
	})
	return b
}

// What a newer release has begun waits for a worker of that release: no attempt is used up, and nothing dies.
func TestNewerConversationWaitsForANewerWorker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2}
		w := r.work(orders(2))
		r.say(1, "new")
		r.expect(time.Second, "1 new")
		w.stop()
		old := r.work(orders(1))
		r.say(1, "for the new one")
		r.say(2, "other chat")
		r.expect(time.Minute, "1 new", "2 other chat")
		if n := r.count("chatlane_turn_setbacks_total", "newer_version"); n < 3 {
			t.Errorf("%d waits for a newer worker, want some", n)
		}
		old.stop()
		r.work(orders(2))
		r.expect(20*time.Second, "1 new", "2 other chat", "1 for the new one")
		if dead := r.dead(); len(dead) != 0 {
			t.Errorf("dead: %v, want none", dead)
		}
		r.empty()
	})
}

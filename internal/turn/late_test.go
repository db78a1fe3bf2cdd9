package turn_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/turn"
)

// publish publishes an update of user 7.
func (r *rig) publish(updateType string, payload map[string]any) {
	r.t.Helper()
	r.next++
	payload["id"], payload["from"] = "q", map[string]any{"id": 7, "is_bot": false, "first_name": "Ann"}
	body, err := json.Marshal(map[string]any{"update_id": r.next, updateType: payload})
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := update.Peek(botID, body)
	if err != nil {
		r.t.Fatal(err)
	}
	u := queue.Update{ID: r.next, Type: e.Type, Scope: e.Scope, Lane: lane.ByChat.Key(e.Scope), Received: time.Now(), Body: body}
	if err := queue.NewPublisher(r.conn, 1, nil).Publish(r.t.Context(), u); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) deadlines(updateType, result string) (n int) {
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			l := m.GetLabel()
			if f.GetName() == "chatlane_deadlines_total" && l[0].GetValue() == result && l[1].GetValue() == updateType {
				n = int(m.GetCounter().GetValue())
			}
		}
	}
	return n
}

// The late press's handler sees how late it is.
func TestLatePressIsHandledAndLateInlineQuerySkipped(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{AnswerWithin: update.AnswerWithin, SkipAfter: func(updateType string) time.Duration {
			if updateType == "inline_query" {
				return update.AnswerWithin(updateType)
			}
			return 0
		}}
		handled := map[bot.Type][]time.Duration{} // what was left until the deadline
		b := bot.New("late")
		b.On(bot.AnyUpdate, func(_ context.Context, t *bot.Turn) error {
			left := time.Hour
			if due, ok := t.Deadline(); ok {
				left = time.Until(due).Round(time.Second)
			}
			handled[t.Type()] = append(handled[t.Type()], left)
			return nil
		})
		all := func() {
			r.publish("callback_query", map[string]any{"data": "pay", "chat_instance": "1"})
			r.publish("inline_query", map[string]any{"query": "cats", "offset": ""})
			r.publish("pre_checkout_query", map[string]any{"currency": "XTR", "total_amount": 1, "invoice_payload": "x"})
			r.say(7, "hello")
		}
		all()
		time.Sleep(3 * time.Minute) // no worker runs
		r.work(b)
		time.Sleep(time.Second)
		all()
		time.Sleep(time.Second)
		synctest.Wait()
		for typ, want := range map[bot.Type][]time.Duration{
			bot.CallbackQuery:    {-30 * time.Second, 150 * time.Second},
			bot.InlineQuery:      {30 * time.Second},
			bot.PreCheckoutQuery: {-170 * time.Second, 10 * time.Second},
			bot.Message:          {time.Hour, time.Hour},
		} {
			got := handled[typ]
			near := len(got) == len(want)
			for i := range got {
				near = near && (got[i]-want[i]).Abs() <= 5*time.Second
			}
			if !near {
				t.Errorf("%v: handled with %v left, want %v", typ, got, want)
			}
		}
		for _, typ := range []string{"callback_query", "inline_query", "pre_checkout_query"} {
			if met, missed := r.deadlines(typ, "met"), r.deadlines(typ, "missed"); met != 1 || missed != 1 {
				t.Errorf("%s: %d answered in time and %d late, want 1 and 1", typ, met, missed)
			}
		}
		if n := r.deadlines("message", "met"); n != 0 {
			t.Errorf("%d messages have a deadline", n)
		}
		if n := r.count("chatlane_updates_skipped_total", "inline_query"); n != 1 {
			t.Errorf("%d skipped inline queries counted, want 1", n)
		}
		r.expectTurns("stale", 1)
		r.empty()
	})
}

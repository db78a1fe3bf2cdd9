package turn_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

func (r *rig) store(body string) {
	r.t.Helper()
	e, err := update.Peek(botID, []byte(body))
	if err != nil {
		r.t.Fatalf("%s: %v", body, err)
	}
	u := queue.Update{ID: e.UpdateID, Type: e.Type, Scope: e.Scope, Lane: lane.ByChat.Key(e.Scope), Received: time.Now(), Body: []byte(body)}
	if err := queue.NewPublisher(r.conn, 1, nil).Publish(r.t.Context(), u); err != nil {
		r.t.Fatal(err)
	}
}

// The handler sends on the bytes that came.
func TestBadlyEncodedUpdatesReachTheirHandler(t *testing.T) {
	const from = `"from":{"id":7,"is_bot":false,"first_name":"Ann"},"message_id":1,"date":1,"chat":{"id":5,"type":"private"}`
	bodies := []string{
		`{"update_id":1,"callback_query":{"id":"1","from":{"id":7,"is_bot":false,"first_name":"Ann"},"chat_instance":"1","data":"ab` + "\x9c" + `cd","message":{` + from + `}}}`,
		`{"update_id":2,"message":{` + from + `,"text":"` + "\x9c" + `"}}`,
		`{"update_id":3,"message":{` + from + `,"text":"why?","reply_to_message":{` + from + `,"text":"a\ud83d"}}}`,
		`{"update_id":4,"message":{` + from + `,"text":"one","text":"two"}}`,
	}
	bubble(t, func(t *testing.T, r *rig) {
		var raw, texts []string
		b := bot.New("test")
		b.On(bot.AnyUpdate, func(_ context.Context, turn *bot.Turn) error {
			raw = append(raw, string(turn.Raw()))
			if q := turn.Query(); q != nil {
				texts = append(texts, q.Data)
				return nil
			}
			texts = append(texts, turn.Text())
			return nil
		})
		r.work(b)
		for _, body := range bodies {
			r.store(body)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !slices.Equal(raw, bodies) {
			t.Errorf("handlers got %q, want the bytes that came", raw)
		}
		if want := []string{"ab\ufffdcd", "\ufffd", "why?", "two"}; !slices.Equal(texts, want) {
			t.Errorf("handlers read %q, want %q", texts, want)
		}
		if dead := r.dead(); len(dead) > 0 {
			t.Errorf("dead letters of %v", dead)
		}
		r.empty()
	})
}

// Anybody may write what a handler fails at, as often as they like.
func TestFailingUpdatesDoNotFloodTheLog(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var out bytes.Buffer
		r.log, r.cfg.MaxAttempts = slog.New(slog.NewTextHandler(&out, nil)), 1
		b := bot.New("test")
		b.On(bot.AnyUpdate, func(ctx context.Context, turn *bot.Turn) error {
			turn.Logger().InfoContext(ctx, "a line of the author's")
			return context.DeadlineExceeded
		})
		w := r.work(b)
		const updates = 200
		for i := range updates {
			r.say(int64(-100-i%50), "x")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		w.stop()
		if n := len(r.dead()); n != updates {
			t.Fatalf("%d dead letters, want %d", n, updates)
		}
		if n := strings.Count(out.String(), "dead letter"); n == 0 || n > 100 {
			t.Errorf("%d lines for %d dead letters, want some, but at most 100", n, updates)
		}
		if n := strings.Count(out.String(), "a line of the author's"); n != updates {
			t.Errorf("%d lines of the author's, want %d", n, updates)
		}
	})
}

package turn_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/forward"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/turn"
)

// Updates that no type of telego's fits, not even without their optional parts.
func newerUpdates() []string {
	const who = `"user":{"id":7,"is_bot":false,"first_name":"Ann"}`
	return []string{
		`{"update_id":1,"chat_member":{"chat":{"id":5,"type":"group","title":"G"},"from":{"id":7,"is_bot":false,"first_name":"Ann"},"date":1,` +
			`"old_chat_member":{"status":"member",` + who + `},"new_chat_member":{"status":"hologram",` + who + `}}}`,
		`{"update_id":2,"chat_boost":{"chat":{"id":5,"type":"channel","title":"C"},"boost":{"boost_id":"b","add_date":1,"expiration_date":2,"source":{"source":"hologram"}}}}`,
		`{"update_id":3,"chat_join_request":{"chat":{"id":-9,"type":"group","title":"G"},"from":{"id":5,"is_bot":false,"first_name":9},"user_chat_id":5,"date":"x"}}`,
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestForwardedUpdatesNeedNotBeDecoded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var got []string
		f := forward.New(forward.Config{
			Targets: map[int64]forward.Target{botID: {URL: "http://bot/hook"}},
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				got = append(got, req.Header.Get(forward.HeaderUpdate)+" "+string(body))
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, err
			}),
		}, slog.New(slog.DiscardHandler), nil)
		r.work(f.Router())
		var want []string
		for i, body := range newerUpdates() {
			r.store(body)
			want = append(want, "42:"+string(rune('1'+i))+" "+body)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("bot got %q, want %q", got, want)
		}
		if dead := r.dead(); len(dead) > 0 {
			t.Errorf("dead letters of %v", dead)
		}
	})
}

func TestAHandlerOfRawUpdatesNeedsNoType(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var raw []string
		var chats []int64
		b := bot.New("raw")
		b.On(bot.AnyUpdate, func(_ context.Context, turn *bot.Turn) error {
			raw, chats = append(raw, string(turn.Raw())), append(chats, turn.Chat())
			return nil
		})
		r.work(b)
		for _, body := range newerUpdates() {
			r.store(body)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !slices.Equal(raw, newerUpdates()) || !slices.Equal(chats, []int64{5, 5, -9}) {
			t.Errorf("handler got %q in chats %v", raw, chats)
		}
		r.expectTurns("committed", 3)
	})
}

// Whatever asks for the typed form fails, once, and an error handler sees why.
func TestAskingForATypeThatDoesNotFitFailsTheHandler(t *testing.T) {
	for name, ask := range map[string]func(t *bot.Turn){
		"update":  func(t *bot.Turn) { t.Update() },
		"message": func(t *bot.Turn) { t.Message() },
		"from":    func(t *bot.Turn) { t.From() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{MaxAttempts: 5}
				runs, seen := 0, 0
				b := bot.New("typed")
				b.On(bot.AnyUpdate, func(_ context.Context, turn *bot.Turn) error {
					runs++
					ask(turn)
					t.Error("the handler went on")
					return nil
				})
				b.OnError(func(_ context.Context, at *bot.Turn, err error) error {
					if undecoded := (*bot.UndecodedError)(nil); errors.As(err, &undecoded) && at.LastAttempt() {
						seen++
					}
					return err
				})
				r.work(b)
				r.store(newerUpdates()[0])
				time.Sleep(time.Minute)
				synctest.Wait()
				l, err := deadletter.New(r.conn).Get(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				if runs != 1 || seen != 1 || l.Reason != deadletter.ReasonUndecoded || strings.Contains(l.Error, "panic") || string(l.Body) != newerUpdates()[0] {
					t.Errorf("%d runs, error handler saw it %d times, letter %s: %s", runs, seen, l.Reason, l.Error)
				}
			})
		})
	}
}

// A filter that needs the type fails, and does not let the update pass as one that nobody takes.
func TestAFilterOnATypeThatDoesNotFitLosesNoUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("filtered")
		b.On(bot.ChatMember, func(context.Context, *bot.Turn) error { return nil }, bot.Joined())
		b.Urgent(bot.ChatMember, func(context.Context, *bot.Turn) error { return nil }, bot.Joined())
		r.work(b)
		r.store(newerUpdates()[0])
		time.Sleep(time.Minute)
		synctest.Wait()
		if dead := r.dead(); !slices.Equal(dead, []int64{1}) {
			t.Errorf("dead letters of %v, want the update's", dead)
		}
	})
}

// A message that ingress did not publish has no type. No router takes it, which must not pass for an answer.
func TestAMessageWithoutAnEnvelopeIsADeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("any")
		b.On(bot.AnyUpdate, func(context.Context, *bot.Turn) error { return nil })
		r.work(b)
		if _, err := r.conn.JetStream().Publish(t.Context(), "updates.0.42.c:5", []byte("foreign")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		l, err := deadletter.New(r.conn).Get(t.Context(), 1)
		if err != nil || l.Reason != deadletter.ReasonUndecoded || string(l.Body) != "foreign" {
			t.Errorf("letter %s with %q, %v; want the message as undecoded", l.Reason, l.Body, err)
		}
	})
}

package bottest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mymmrac/telego"
	ta "github.com/mymmrac/telego/telegoapi"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

// situation is an update of a kind, and where a worker says that it belongs.
type situation struct {
	Name string
	Want struct {
		Type, Kind, ID     string
		Chat, User, Thread int64
	}
	Update json.RawMessage
}

func (s *situation) String() string {
	w, business := s.Want, ""
	if w.Kind == "b" {
		business = w.ID
	}
	return fmt.Sprintf("%s in chat %d by user %d in thread %d of business %q", w.Type, w.Chat, w.User, w.Thread, business)
}

// situations are those that the worker's own routing is tested with, as far as telego
// has names for them.
func situations(t *testing.T) []situation {
	t.Helper()
	f, err := os.Open("../internal/telegram/update/testdata/envelopes.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var all []situation
	for in := bufio.NewScanner(f); in.Scan(); {
		var s situation
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if update.IsKnown(s.Want.Type) {
			all = append(all, s)
		}
	}
	if len(all) < len(update.Types()) {
		t.Fatalf("%d situations, want one of each type", len(all))
	}
	return all
}

func TestUpdatesBelongWhereAWorkerPutsThem(t *testing.T) {
	t.Parallel()
	var glanced, turned string
	var ids []int64
	r := bot.New("r")
	r.Before(func(_ context.Context, g bot.Envelope) error {
		ids = append(ids, g.Update)
		glanced = fmt.Sprintf("%s in chat %d by user %d in thread %d", g.Type, g.Chat, g.User, g.Thread)
		return nil
	})
	r.On(bot.AnyUpdate, func(_ context.Context, t *bot.Turn) error {
		turned = fmt.Sprintf("%s in chat %d by user %d in thread %d of business %q", t.Type(), t.Chat(), t.User(), t.Thread(), t.Business())
		return nil
	})
	w := bottest.New(t, r)
	for _, s := range situations(t) {
		var u telego.Update
		if err := json.Unmarshal(s.Update, &u); err != nil {
			t.Fatal(err)
		}
		if ask := u.ChatJoinRequest; ask != nil { // its lane is private, its chat is the group
			s.Want.Chat = ask.Chat.ID
		}
		w.RawUpdate(s.Update)
		if turned != s.String() {
			t.Errorf("%s:\n got %s\nwant %s", s.Name, turned, s.String())
		}
		if !strings.HasPrefix(s.String(), glanced) || ids[len(ids)-1] != int64(u.UpdateID) {
			t.Errorf("%s: a gate sees %s, update %d", s.Name, glanced, ids[len(ids)-1])
		}
	}
}

func TestUpdateThatAWorkerCannotRouteFailsTheTest(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]telego.Update{
		"no_payload":   {},
		"two_payloads": {Poll: &telego.Poll{ID: "1"}, InlineQuery: &telego.InlineQuery{From: telego.User{ID: 5}}},
		"no_route":     {Message: &telego.Message{Text: "hi"}},
		"no_update_id": {UpdateID: -1, Poll: &telego.Poll{ID: "1"}},
	} {
		seen := &witness{TB: t}
		w := bottest.New(seen, counter())
		w.Update(u)
		if len(seen.reports) != 1 || !strings.HasSuffix(seen.reports[0], "update is unreadable: "+name) {
			t.Errorf("%s: reported %q", name, seen.reports)
		}
		seen.reports = nil
		_ = w.Fails(func() { w.Update(u) })
		if len(seen.reports) != 2 { // it is no failed turn
			t.Errorf("%s, within Fails: reported %q", name, seen.reports)
		}
	}
}

func TestConversationsAreThoseOfAWorker(t *testing.T) {
	t.Parallel()
	for _, name := range fsm.Strategies() {
		strategy, err := fsm.ParseStrategy(name)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		r := bot.New("r")
		r.On(bot.AnyUpdate, func(_ context.Context, t *bot.Turn) error {
			c, err := bot.UpdateData(t, func(c *tally) { c.N++ })
			if n = c.N; errors.Is(err, bot.ErrNoState) {
				n, err = -1, nil
			}
			return err
		})
		w := bottest.NewWith(t, r, bottest.Config{Strategy: bottest.Strategy(name)})
		earlier := map[string]int{}
		for _, s := range situations(t) {
			e, err := update.Peek(42, s.Update)
			if err != nil {
				t.Fatal(err)
			}
			key, _ := strategy.Key(e.Scope)
			earlier[key]++
			want := earlier[key]
			if key == "" {
				want = -1
			}
			if w.RawUpdate(s.Update); n != want {
				t.Errorf("%s, %s: update %d of its conversation, want %d of %s", name, s.Name, n, want, key)
			}
		}
	}
}

// fatal is a T that ends its goroutine, as a *testing.T does.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestStrategiesAreThoseOfAWorker(t *testing.T) {
	t.Parallel()
	ours := []string{
		string(bottest.UserInChat), string(bottest.Chat), string(bottest.GlobalUser),
		string(bottest.UserInTopic), string(bottest.ChatTopic),
	}
	if !slices.Equal(ours, fsm.Strategies()) {
		t.Errorf("strategies %q, want %q", ours, fsm.Strategies())
	}
	f, done := &fatal{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		bottest.NewWith(f, counter(), bottest.Config{Strategy: "everybody"})
	}()
	<-done
	if !strings.HasPrefix(f.said, `Config.Strategy: strategy "everybody": want one of `) {
		t.Errorf("a strategy that no worker has: %q", f.said)
	}
}

// A chat of a business or of another bot's guest may have the id of a chat of the
// bot's own, and is another one.
func TestLanesAreThoseOfAWorker(t *testing.T) {
	t.Parallel()
	text := func(s string) *telego.Message {
		return &telego.Message{Text: s, Chat: telego.Chat{ID: 5, Type: "private"}, From: &telego.User{ID: 5}}
	}
	business := text("hi")
	business.BusinessConnectionID = "b1"
	var w *bottest.World
	var order []string
	r := bot.New("r")
	r.Urgent(bot.PollAnswer, func(_ context.Context, t *bot.Turn) error { t.CancelRunning(); return nil })
	r.On(bot.BusinessMessage|bot.GuestMessage, func(_ context.Context, t *bot.Turn) error {
		order = append(order, t.Type().String())
		return nil
	})
	answered := make(chan struct{})
	r.Message(func(ctx context.Context, _ *bot.Turn) error {
		// Each would wait for ever, were it in this lane.
		w.Update(telego.Update{BusinessMessage: business})
		w.Update(telego.Update{GuestMessage: text("hi")})
		go func() { // this one is, so that it waits, and its urgent handler stops us
			defer close(answered)
			w.Update(telego.Update{PollAnswer: &telego.PollAnswer{PollID: "1", User: &telego.User{ID: 5}}})
		}()
		<-ctx.Done()
		order = append(order, "stopped")
		return ctx.Err()
	})
	r.On(bot.PollAnswer, func(context.Context, *bot.Turn) error { order = append(order, "poll_answer"); return nil })
	w = bottest.New(t, r)
	w.Update(telego.Update{Message: text("hi")})
	<-answered
	if got := strings.Join(order, " "); got != "business_message guest_message stopped poll_answer" {
		t.Errorf("order is %s", got)
	}
}

func TestErrorsOfNobodysFaultGoPastErrorHandlers(t *testing.T) {
	t.Parallel()
	var handled error
	r := bot.New("r")
	r.OnError(func(_ context.Context, _ *bot.Turn, err error) error { handled = err; return err })
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		_, err := t.Call(ctx, "sendMessage", map[string]any{"chat_id": t.Chat(), "text": "hello"})
		return err
	}, bot.Text("call"))
	r.Message(bot.Say("hello"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	for code, blamed := range map[int]bool{400: true, 403: true, 429: false, 500: false, 502: false} {
		for name, refused := range map[string]error{
			"Refuse": bottest.Refuse(code, "no"), "telego's": &ta.Error{ErrorCode: code, Description: "no"},
		} {
			w.Stub("sendMessage", func(json.RawMessage) (any, error) { return nil, refused })
			for _, text := range []string{"call", "answer"} {
				handled = nil
				err := w.Fails(func() { ann.Say(text) })
				if (handled != nil) != blamed {
					t.Errorf("%s error %d of %s: error handler sees %v", name, code, text, handled)
				}
				if no, ok := errors.AsType[*ta.Error](err); !ok || no.ErrorCode != code || no.Description != "no" {
					t.Errorf("%s error %d of %s: turn fails with %v", name, code, text, err)
				}
			}
		}
	}
}

// A wait of minutes is told; a worker does not make it without a word.
func TestErrorHandlersSeeALongFloodWait(t *testing.T) {
	t.Parallel()
	var told time.Duration
	r := bot.New("r")
	r.OnError(func(_ context.Context, _ *bot.Turn, err error) error { told = bot.RetryAfter(err); return nil })
	r.Message(bot.Say("hello"))
	w := bottest.New(t, r)
	w.Stub("sendMessage", func(json.RawMessage) (any, error) {
		return nil, &ta.Error{ErrorCode: 429, Description: "slow", Parameters: &ta.ResponseParameters{RetryAfter: 80274}}
	})
	w.Person("Ann").Say("hi")
	if told != 80274*time.Second {
		t.Errorf("error handler was told to wait %v", told)
	}
}

// As the client has it: error handlers and request middleware branch on these.
func TestRefusalsAreThoseOfAWorkersClient(t *testing.T) {
	t.Parallel()
	var got *api.Error
	r := bot.New("r")
	r.Calls(func(next bot.CallFunc) bot.CallFunc {
		return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			result, err := next(ctx, method, params)
			got, _ = errors.AsType[*api.Error](err)
			return result, err
		}
	})
	r.Message(bot.Say("hello"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	for _, c := range []struct {
		refused error
		want    api.Error
	}{
		{bottest.Refuse(429, "slow"), api.Error{Method: "sendMessage", Code: 429, Description: "slow", RetryAfter: time.Second}},
		{
			&ta.Error{ErrorCode: 429, Description: "slow", Parameters: &ta.ResponseParameters{RetryAfter: 7}},
			api.Error{Method: "sendMessage", Code: 429, Description: "slow", RetryAfter: 7 * time.Second},
		},
		{
			&ta.Error{ErrorCode: 400, Description: "moved", Parameters: &ta.ResponseParameters{MigrateToChatID: -100}},
			api.Error{Method: "sendMessage", Code: 400, Description: "moved", MigrateTo: -100},
		},
	} {
		w.Stub("sendMessage", func(json.RawMessage) (any, error) { return nil, c.refused })
		_ = w.Fails(func() { ann.Say("hi") })
		if got == nil || *got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.refused, got, c.want)
		}
	}
}

func TestTimersFireAtWholeSecondsAndNeverEarly(t *testing.T) {
	t.Parallel()
	noon := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ now, after, want time.Duration }{
		{0, time.Hour, time.Hour},
		{0, time.Second, time.Second},
		{0, time.Millisecond, time.Second}, // the least there is
		{0, 1500 * time.Millisecond, 2 * time.Second},
		{0, time.Second + 1, 2 * time.Second},
		{250 * time.Millisecond, time.Second, 2 * time.Second},
		{250 * time.Millisecond, 1750 * time.Millisecond, 2 * time.Second},
		{999 * time.Millisecond, time.Nanosecond, 2 * time.Second},
	} {
		var w *bottest.World
		var fired, received time.Time
		r := bot.New("r")
		r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
			fired, received = w.Now(), t.Received()
			return t.Clear(ctx)
		}, c.after, "a:b")
		r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, "a:b") })
		w = bottest.NewWith(t, r, bottest.Config{Start: noon.Add(c.now)})
		w.Person("Ann").Say("hi")
		w.Advance(c.want - c.now - 1)
		if !fired.IsZero() {
			t.Errorf("%v after %v: early, at %v", c.after, c.now, fired.Sub(noon))
		}
		w.Advance(1)
		if want := noon.Add(c.want); !fired.Equal(want) || !received.Equal(want) {
			t.Errorf("%v after %v: fired at %v, received at %v, want %v", c.after, c.now, fired, received, want)
		}
	}
}

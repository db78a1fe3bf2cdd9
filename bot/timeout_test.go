package bot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// partsFor is a message with a text, for a conversation with a state.
func partsFor(text string, s bot.Session) bot.Parts {
	return bot.Parts{Type: "message", Chat: 1, User: 1, Session: s, Update: &telego.Update{
		UpdateID: 7, Message: &telego.Message{Text: text, Chat: telego.Chat{ID: 1, Type: "private"}},
	}}
}

func TestTimeoutFiresInTheLane(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Too late")
	}, 10*time.Minute, quantity, address)
	r.Message(goes)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say(string(quantity))
	w.Advance(9 * time.Minute)
	ann.Say(string(address)) // counts anew
	w.Advance(9 * time.Minute)
	ann.ExpectSilence()
	w.Advance(time.Minute)
	ann.Expect("Too late")
	ann.ExpectState(bot.None)
	w.Advance(time.Hour)
	ann.ExpectSilence()
}

func TestTimeoutIsCancelledWithItsState(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnTimeout(bot.Say("Too late"), time.Minute, quantity)
	r.Message(goes)
	w := bottest.New(t, r)
	for _, next := range []string{"finish", string(confirm), string(rating)} {
		p := w.Person("Somebody")
		p.Say(string(quantity))
		p.Say(next)
		w.Advance(time.Hour)
		p.ExpectSilence()
	}
}

func TestTimeoutCanBeArmedByHandAndAgain(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		if err := t.ExpireIn(time.Hour); err != nil { // remind again
			return err
		}
		return t.Answer(ctx, "Still there?")
	}, 0, quantity)
	r.Message(func(_ context.Context, t *bot.Turn) error { return t.ExpireIn(time.Minute) }, bot.Text("soon"))
	r.Message(func(_ context.Context, t *bot.Turn) error { return t.ExpireIn(0) }, bot.Text("never"))
	r.Message(goes)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say(string(quantity))
	w.Advance(24 * time.Hour)
	ann.ExpectSilence()
	ann.Say("soon")
	w.Advance(time.Minute)
	ann.Expect("Still there?")
	w.Advance(2 * time.Hour)
	ann.Expect("Still there?", "Still there?")
	ann.Say("never")
	w.Advance(24 * time.Hour)
	ann.ExpectSilence()
}

func TestLateTimeoutsAreIgnored(t *testing.T) {
	t.Parallel()
	var fired int
	r := bot.New("r")
	r.OnTimeout(func(context.Context, *bot.Turn) error { fired++; return nil }, time.Minute, quantity)
	r.Message(goes)
	m := &memory{}
	say := func(id int, text string) bot.TimeoutEvent {
		t.Helper()
		p := partsFor(text, m)
		p.Update.UpdateID = id
		turn := bot.NewTurn(p)
		if err := compiled(t, r).Answer(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
		return bot.TimeoutEvent{State: bot.State(m.state), Token: compiled(t, r).Timer(turn).Token}
	}
	fire := func(e bot.TimeoutEvent) (late bool) {
		t.Helper()
		turn := bot.NewTurn(bot.Parts{Type: "timeout", Raw: e.Encode(), Session: m})
		if err := compiled(t, r).Answer(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
		return compiled(t, r).Timer(turn).Late
	}
	first := say(1, string(quantity))
	say(2, "finish")
	fire(first) // the state is left
	second := say(3, string(quantity))
	fire(first) // the state is the same, the stay is not
	if fired != 0 {
		t.Errorf("%d late timeouts fired", fired)
	}
	if late, again := fire(second), fire(second); late || !again { // delivered twice
		t.Errorf("late: %v at first, %v when delivered again", late, again)
	}
	if fired != 1 {
		t.Errorf("timeout fired %d times, want once", fired)
	}
}

func TestTimeoutWishIsTheSameAtEveryAttempt(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnTimeout(goes, 90*time.Second, quantity)
	r.Message(goes)
	wish := func(m *memory, text string) bot.Timer {
		turn := bot.NewTurn(partsFor(text, m))
		if err := compiled(t, r).Answer(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
		return compiled(t, r).Timer(turn)
	}
	first := wish(&memory{}, string(quantity))
	if first.After != 90*time.Second || first.Token == "" || first.Cancel {
		t.Errorf("wish is %+v", first)
	}
	m := &memory{}
	if again := wish(m, string(quantity)); again != first {
		t.Errorf("second attempt leaves %+v, the first %+v", again, first)
	}
	if end := wish(m, "finish"); end.After != 0 || !end.Cancel {
		t.Errorf("at the end: %+v", end)
	}
	if none := wish(m, "finish"); none != (bot.Timer{}) {
		t.Errorf("without a timer: %+v", none)
	}
}

func TestTimerThatATurnEndsIsNamed(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnTimeout(goes, time.Minute, quantity, address)
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, address); err != nil {
			return err
		}
		return t.Clear(ctx)
	}, bot.Text("through"))
	r.Message(goes)
	m := &memory{}
	say := func(id int, text string) bot.Timer {
		t.Helper()
		p := partsFor(text, m)
		p.Update.UpdateID = id
		turn := bot.NewTurn(p)
		if err := compiled(t, r).Answer(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
		return compiled(t, r).Timer(turn)
	}
	first := say(1, string(quantity))
	if got := first.Former; got != "" {
		t.Errorf("first turn ends the timer %q", got)
	}
	second := say(2, string(address))
	if got := second.Former; got != first.Token || got == second.Token {
		t.Errorf("second turn ends %q, want the first one's %q", got, first.Token)
	}
	if got := say(2, string(address)).Former; got != "" {
		t.Errorf("the same update again ends %q, which it arms", got)
	}
	if third := say(3, "through"); third.Former != second.Token || third.Token != "" {
		t.Errorf("a state that is passed through: ends %q, arms %q; want to end %q", third.Former, third.Token, second.Token)
	}
	if got := say(4, "finish").Former; got != "" {
		t.Errorf("without a timer: ends %q", got)
	}
}

func TestTimeoutEventIsReadBack(t *testing.T) {
	t.Parallel()
	e := bot.TimeoutEvent{State: quantity, Token: "t1"}
	if got := string(e.Encode()); got != `{"state":"order:quantity","token":"t1"}` {
		t.Errorf("encoded as %s", got)
	}
	if got, err := bot.DecodeTimeout(e.Encode()); err != nil || got != e {
		t.Errorf("read back as %+v, %v", got, err)
	}
	for _, raw := range []string{``, `{}`, `{"state":"a:b"}`, `{"token":"t"}`} {
		if _, err := bot.DecodeTimeout([]byte(raw)); err == nil {
			t.Errorf("%q was taken for a timeout", raw)
		}
	}
}

func TestBrokenTimeoutsFail(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnTimeout(nothing, time.Minute, quantity)
	if err := compiled(t, r).Answer(t.Context(), bot.NewTurn(bot.Parts{Type: "timeout", Raw: []byte(`{`), Session: &memory{}})); err == nil {
		t.Error("a broken timeout was answered")
	}
	if err := compiled(t, r).Answer(t.Context(), bot.NewTurn(bot.Parts{Type: "timeout"})); err != nil {
		t.Errorf("a timeout without state: %v", err)
	}
	m := &memory{state: string(confirm), meta: []byte(`{"t":"x"}`)}
	e := bot.TimeoutEvent{State: confirm, Token: "x"}
	if err := compiled(t, r).Answer(t.Context(), bot.NewTurn(bot.Parts{Type: "timeout", Raw: e.Encode(), Session: m})); !errors.Is(err, bot.ErrUnhandled) {
		t.Errorf("a timeout that nobody handles: %v", err)
	}
}

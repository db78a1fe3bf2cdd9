package throttle_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bot/throttle"
	"github.com/chatlane/chatlane/bottest"
)

func admits(t *testing.T, th *throttle.Throttle, user int64) bool {
	t.Helper()
	err := th.Gate(t.Context(), bot.Envelope{Bot: 42, Chat: -5, User: user})
	if err != nil && !errors.Is(err, bot.ErrDropped) {
		t.Fatal(err)
	}
	return err == nil
}

func TestThrottleDropsWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := throttle.New(throttle.Config{Limit: 3, Per: time.Minute})
		ask := func(user int64) bool { return admits(t, th, user) }
		for i := range 3 {
			if !ask(1) {
				t.Errorf("update %d refused, want 3 admitted", i+1)
			}
		}
		if ask(1) {
			t.Error("fourth update admitted")
		}
		if !ask(2) {
			t.Error("another user refused")
		}
		if !ask(0) { // then it is the chat that counts
			t.Error("update without a user refused")
		}
		time.Sleep(20 * time.Second)
		if !ask(1) || ask(1) {
			t.Error("want one more after a third of the time")
		}
		time.Sleep(time.Hour)
		var admitted int
		for range 5 {
			if ask(1) {
				admitted++
			}
		}
		if admitted != 3 {
			t.Errorf("%d admitted after a long time, want the whole limit of 3", admitted)
		}
	})
	defer func() {
		if recover() == nil {
			t.Error("a negative limit is taken")
		}
	}()
	throttle.New(throttle.Config{Limit: -1})
}

func TestThrottleCanAnswerInstead(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	th := throttle.New(throttle.Config{Limit: 1, Key: func(g bot.Envelope) int64 { return g.Chat }})
	r.Outer(th.Middleware(bot.Say("slow down")))
	r.Message(bot.Say("hello"))
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("hi")
	ann.Say("hi")
	ann.Expect("hello", "slow down")
}

// Another attempt at an update asks for nothing new.
func TestThrottleChargesAnUpdateOnce(t *testing.T) {
	t.Parallel()
	th := throttle.New(throttle.Config{Limit: 2})
	ask := func(update int64) error {
		return th.Gate(t.Context(), bot.Envelope{Bot: 42, User: 7, Update: update, Received: time.Unix(1, 0)})
	}
	for _, update := range []int64{1, 1, 2, 1, 2} {
		if err := ask(update); err != nil {
			t.Errorf("update %d: %v", update, err)
		}
	}
	if err := ask(3); !errors.Is(err, bot.ErrDropped) {
		t.Errorf("a third update: %v", err)
	}
}

// Updates of two chats of one user may come out of order; that earns nothing.
func TestThrottleEarnsNothingFromArrivalsOutOfOrder(t *testing.T) {
	t.Parallel()
	th := throttle.New(throttle.Config{Limit: 2, Per: time.Minute})
	at := func(second int64) error {
		return th.Gate(t.Context(), bot.Envelope{Bot: 42, User: 7, Received: time.Unix(1000+second, 0)})
	}
	for _, second := range []int64{60, 0} {
		if err := at(second); err != nil {
			t.Fatal(err)
		}
	}
	for _, second := range []int64{59, 60, 80} {
		if err := at(second); !errors.Is(err, bot.ErrDropped) {
			t.Errorf("update of second %d: %v", second, err)
		}
	}
	if err := at(90); err != nil {
		t.Errorf("update after half a minute: %v", err)
	}
}

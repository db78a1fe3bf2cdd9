package turn_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
)

// With the store in the broker both are away at once: the call is answered, its result cannot be
// written, and the partition is lost. If both come back to the same worker, it knows the result.
func TestUnrecordedCallIsNotRepeatedWhenThePartitionComesBack(t *testing.T) {
	answer := func(ctx context.Context, turn *bot.Turn) error { return turn.Answer(ctx, turn.Text()) }
	t.Run("in its lane", func(t *testing.T) {
		echo := bot.New("echo")
		echo.Message(answer)
		loseTheNoteOfACall(t, echo)
	})
	t.Run("urgent", func(t *testing.T) {
		echo := bot.New("echo")
		echo.Urgent(bot.Message, answer, bot.Plain())
		loseTheNoteOfACall(t, echo)
	})
}

func loseTheNoteOfACall(t *testing.T, echo *bot.Router) {
	t.Helper()
	bubble(t, func(t *testing.T, r *rig) {
		js := r.conn.JetStream()
		lost := false
		r.answer = func(string, map[string]any) (int, string) {
			for name := range js.StreamNames(t.Context()).Name() {
				if strings.HasPrefix(name, "KV_") && !lost {
					lost = js.DeleteStream(t.Context(), name) == nil
				}
			}
			return 0, ""
		}
		w := r.work(echo)
		r.say(1, "hello")
		r.expect(time.Second, "1 hello")
		if !lost {
			t.Fatal("the store was not away when the call was answered: the test tests nothing")
		}
		s, err := js.Stream(t.Context(), broker.Names{}.Updates())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.UnpinConsumer(t.Context(), "p-0000", "owner"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pinTTL)
		if _, err := kvstore.Open(t.Context(), js, kvstore.Config{}); err != nil {
			t.Fatal(err)
		}
		r.say(1, "again")
		r.expect(30*time.Second, "1 hello", "1 again")
		w.stop()
		r.empty()
	})
}

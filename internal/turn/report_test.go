package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/testlog"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/turn"
)

type logBook struct{ testlog.Buffer }

// attempts lists the attempt numbers of the lines with a message.
func (l *logBook) attempts(t *testing.T, msg string) (n []int) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var entry struct {
			Msg     string
			Attempt int
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == msg {
			n = append(n, entry.Attempt)
		}
	}
	return n
}

// The letter says when the first attempt began, also if the lane was parked in between.
func TestLetterAndLogAgreeOnAttempts(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 4, MinBackoff: 10 * time.Second, ParkAfter: 2 * time.Second}
		book := &logBook{}
		r.log = slog.New(slog.NewJSONHandler(book, nil))
		b := bot.New("fails")
		var first time.Time
		b.Message(func(context.Context, *bot.Turn) error {
			if first.IsZero() {
				first = time.Now()
			}
			return errors.New("no")
		})
		r.work(b)
		r.say(1, "hello")
		time.Sleep(time.Hour)
		synctest.Wait()
		l, err := deadletter.New(r.conn).Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if d := l.First.Sub(first).Abs(); d > time.Second || l.Attempts != 4 {
			t.Errorf("letter of %d attempts, the first at %v, which was at %v", l.Attempts, l.First, first)
		}
		if got := append(book.attempts(t, "attempt failed"), book.attempts(t, "update is a dead letter")...); !slices.Equal(got, []int{1, 2, 3, 4}) {
			t.Errorf("attempts in the log: %v, want 1 to 4", got)
		}
	})
}

package turn_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

// An answer that is broken each time repeats its call a few times, not for ever.
func TestBrokenAnswersEndInADeadLetter(t *testing.T) {
	for _, body := range []string{"", "<html>welcome</html>"} {
		bubble(t, func(t *testing.T, r *rig) {
			asked := r.refuse("no", 200, body)
			b := bot.New("broken")
			b.Message(echo)
			r.work(b)
			r.say(1, "no")
			r.say(1, "behind it")
			time.Sleep(4 * time.Minute)
			if got := r.letters(); len(got) != 0 {
				t.Errorf("dead letters within 4 minutes, in which a gateway may be mended: %q", got)
			}
			time.Sleep(20 * time.Minute)
			if got := r.letters(); asked() != 5 || !slices.Equal(got, []string{"1 error 5"}) {
				t.Errorf("%d calls, dead letters %q", asked(), got)
			}
			for l, err := range deadletter.New(r.conn).All(t.Context(), deadletter.Filter{}) {
				if err != nil || !strings.Contains(l.Error, "may have had its effect") {
					t.Errorf("letter says %q, %v", l.Error, err)
				}
			}
			if got := r.sent(); got[len(got)-1] != "1 behind it" {
				t.Errorf("sent %q", got)
			}
		})
	}
}

package turn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/journal"
	"github.com/chatlane/chatlane/internal/turn"
)

// replay replays all dead letters.
func (r *rig) replay(fresh bool) {
	r.t.Helper()
	d, p := deadletter.New(r.conn), queue.NewPublisher(r.conn, 1, nil)
	for l, err := range d.All(r.t.Context(), deadletter.Filter{}) {
		if err == nil {
			err = d.Replay(r.t.Context(), p, l, fresh)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// done lists what the dead letters say was done.
func (r *rig) done() (all []string) {
	r.t.Helper()
	for l, err := range deadletter.New(r.conn).All(r.t.Context(), deadletter.Filter{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		k, err := journal.DecodeKept(l.Journal)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, one := range k.Done() {
			if one.At.IsZero() {
				r.t.Errorf("%+v has no time", one)
			}
			all = append(all, fmt.Sprint(one.Method, one.Step, " ", one.Urgent, " ", one.Result))
		}
	}
	return all
}

// shop charges, says so, and then fails as long as it is ill.
type shop struct {
	charged int
	ill     bool
}

func (s *shop) router() *bot.Router {
	b := bot.New("shop")
	b.Message(func(ctx context.Context, t *bot.Turn) error {
		if t.Text() == "hello" {
			return t.Answer(ctx, "hello")
		}
		n, err := bot.Once(ctx, t, "charge", func(context.Context) (int, error) { s.charged++; return s.charged, nil })
		if err != nil {
			return err
		}
		if err := t.Answer(ctx, fmt.Sprint("charged ", n)); err != nil {
			return err
		}
		if s.ill {
			return errors.New("the handler's last line fails")
		}
		return t.Answer(ctx, "thanks")
	})
	return b
}

// A replay goes on under the journal of its dead letter: calls and steps that are done are
// not made again, however long ago, whatever the lane did meanwhile, and when the replay
// fails too.
func TestReplayDoesNotRepeatWhatIsDone(t *testing.T) {
	for name, mem := range map[string]bool{"bucket": false, "memory": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				if r.cfg = (turn.Config{MaxAttempts: 2}); mem {
					r.sessions = memstore.New(memstore.Config{})
				}
				s := &shop{ill: true}
				w := r.work(s.router())
				r.say(1, "buy")
				r.expect(time.Minute, "1 charged 1")
				r.say(1, "hello")
				r.expect(3*time.Hour, "1 charged 1", "1 hello")
				r.replay(false) // the handler is still ill
				r.expect(time.Minute, "1 charged 1", "1 hello")
				want := []string{"charge false 1", "sendMessage false message 1"}
				if got := r.done(); !slices.Equal(got, want) {
					t.Errorf("the second letter says %q, want %q", got, want)
				}
				w.stop()
				s.ill = false
				r.work(s.router())
				r.replay(false)
				r.expect(time.Minute, "1 charged 1", "1 hello", "1 thanks")
				if s.charged != 1 {
					t.Errorf("charged %d times, want once", s.charged)
				}
				if dead := r.dead(); len(dead) != 0 {
					t.Errorf("dead: %v, want none", dead)
				}
				r.empty()
			})
		})
	}
}

// A fresh replay makes everything again, since a person chose that.
func TestFreshReplayBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2}
		s := &shop{ill: true}
		r.work(s.router())
		r.say(1, "buy")
		r.expect(time.Minute, "1 charged 1")
		s.ill = false
		r.replay(true)
		r.expect(time.Minute, "1 charged 1", "1 charged 2", "1 thanks")
	})
}

// A refused call had no effect: the replay makes it again.
func TestReplayMakesRefusedCallsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		blocked := true
		r.answer = func(_ string, params map[string]any) (int, string) {
			if blocked && params["text"] == "thanks" {
				return http.StatusForbidden, `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`
			}
			return 0, ""
		}
		s := &shop{}
		r.work(s.router())
		r.say(1, "buy")
		r.expect(time.Minute, "1 charged 1")
		want := []string{"charge false 1", "sendMessage false message 1", "sendMessage false refused with 403: Forbidden: bot was blocked by the user"}
		if got := r.done(); !slices.Equal(got, want) {
			t.Errorf("the letter says %q, want %q", got, want)
		}
		blocked = false
		r.replay(false)
		r.expect(time.Minute, "1 charged 1", "1 thanks")
		if s.charged != 1 {
			t.Errorf("charged %d times, want once", s.charged)
		}
	})
}

// A replayed update that is parked takes its journal along.
func TestParkedReplayKeepsItsJournal(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2, ParkAfter: time.Second}
		s := &shop{ill: true}
		r.work(s.router())
		r.say(1, "buy")
		r.expect(time.Minute, "1 charged 1")
		var busy atomic.Bool
		busy.Store(true)
		r.answer = func(_ string, params map[string]any) (int, string) {
			if busy.Load() && params["text"] == "thanks" {
				return http.StatusTooManyRequests, `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":60}}`
			}
			return 0, ""
		}
		s.ill = false
		r.replay(false)
		r.expect(30*time.Second, "1 charged 1")
		r.expectParked(1)
		busy.Store(false)
		r.expect(5*time.Minute, "1 charged 1", "1 thanks")
		if s.charged != 1 {
			t.Errorf("charged %d times, want once", s.charged)
		}
	})
}

// The urgent run of an update has a journal of its own, and is not made again once it has
// succeeded.
func TestReplayDoesNotRepeatTheUrgentRun(t *testing.T) {
	for name, urgentIll := range map[string]bool{"that succeeded": false, "that failed": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{MaxAttempts: 2}
				ill := true
				b := bot.New("alarm")
				b.Urgent(bot.Message, func(ctx context.Context, tt *bot.Turn) error {
					if err := tt.Answer(ctx, "alarm"); err != nil || !urgentIll || !ill {
						return err
					}
					return errors.New("no")
				})
				b.Message(func(ctx context.Context, tt *bot.Turn) error {
					if ill {
						return errors.New("no")
					}
					return tt.Answer(ctx, "calm")
				})
				r.work(b)
				r.say(1, "fire")
				r.expect(time.Minute, "1 alarm")
				ill = false
				r.replay(false)
				r.expect(time.Minute, "1 alarm", "1 calm")
			})
		})
	}
}

// expectParked checks how many updates wait in PARKED.
func (r *rig) expectParked(want uint64) {
	r.t.Helper()
	s, err := r.conn.JetStream().Stream(r.t.Context(), broker.Names{}.Parked())
	if err != nil {
		r.t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != want {
		r.t.Errorf("%d updates are parked, want %d", n, want)
	}
}

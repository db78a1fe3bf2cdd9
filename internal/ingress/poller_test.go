package ingress_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// botAPI behaves as Telegram does towards one polling bot.
type botAPI struct {
	mu      sync.Mutex
	waiting []int64           // update ids that are not confirmed
	bodies  map[int64]string  // of updates other than plain messages
	fail    []error           // what the next calls fail with
	calls   []string          // methods, in order
	params  map[string]string // the last ones, by method
	more    chan struct{}     // closed when something arrives
	info    map[string]any    // what getWebhookInfo gives
}

func newBotAPI(ids ...int64) *botAPI {
	return &botAPI{waiting: ids, bodies: map[int64]string{}, params: map[string]string{}, more: make(chan struct{})}
}

func (a *botAPI) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.calls = append(a.calls, method)
	a.params[method] = string(text)
	if len(a.fail) > 0 {
		err := a.fail[0]
		a.fail = a.fail[1:]
		a.mu.Unlock()
		return nil, err
	}
	info := a.info
	a.mu.Unlock()
	switch method {
	case "getUpdates":
		return a.getUpdates(ctx, text)
	case "getWebhookInfo":
		return json.Marshal(info)
	}
	return json.RawMessage("true"), nil
}

func (a *botAPI) getUpdates(ctx context.Context, params []byte) (json.RawMessage, error) {
	var p struct{ Offset, Limit, Timeout int64 }
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	a.mu.Lock()
	if n := len(a.waiting); n == 0 || p.Offset <= a.waiting[n-1]+1 { // a higher offset is ignored
		a.waiting = slices.DeleteFunc(a.waiting, func(id int64) bool { return id < p.Offset })
	}
	if len(a.waiting) == 0 {
		more := a.more
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(p.Timeout) * time.Second):
			return json.RawMessage("[]"), nil
		case <-more:
		}
		a.mu.Lock()
	}
	defer a.mu.Unlock()
	var out []string
	for _, id := range a.waiting[:min(len(a.waiting), int(p.Limit))] {
		out = append(out, a.body(id))
	}
	return json.RawMessage("[" + strings.Join(out, ",") + "]"), nil
}

func (a *botAPI) body(id int64) string {
	if b := a.bodies[id]; b != "" {
		return b
	}
	return fmt.Sprintf(`{"update_id":%d,"message":{"message_id":1,"date":1,"chat":{"id":%d,"type":"private"},"text":"hi"}}`, id, id%10+1)
}

func (a *botAPI) left() []int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.waiting)
}

func (a *botAPI) called() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// poll runs a poller in virtual time until test returns.
func poll(t *testing.T, a *botAPI, s *store, test func(t *testing.T, l *log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a.more = make(chan struct{})
		var l log
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		p := ingress.NewPoller(ingress.Config{}, botID, a, intake(t, ingress.Config{}, s, &l))
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		test(t, &l)
		stop()
		if err := <-done; err != nil {
			t.Errorf("poller ended with %v", err)
		}
		showsNothing(t, &l)
	})
}

func upTo(n int64) []int64 {
	var ids []int64
	for id := range n {
		ids = append(ids, id+1)
	}
	return ids
}

func TestPollerStoresEachUpdateThenConfirms(t *testing.T) {
	a, s := newBotAPI(upTo(250)...), &store{}
	poll(t, a, s, func(t *testing.T, _ *log) {
		if diff := cmp.Diff(upTo(250), sorted(s.ids())); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if left := a.left(); len(left) != 0 {
			t.Errorf("not confirmed: %v", left)
		}
		if got := a.params["getUpdates"]; got != `{"offset":251,"limit":100,"timeout":50,"allowed_updates":[]}` {
			t.Errorf("asked with %s", got)
		}
	})
}

// After an idle week ids may restart below the last confirmed one.
func TestPollerFollowsIDsThatStartAgain(t *testing.T) {
	a, s := newBotAPI(901, 902), &store{}
	poll(t, a, s, func(t *testing.T, _ *log) {
		a.mu.Lock()
		a.waiting = []int64{5, 6}
		close(a.more)
		a.more = make(chan struct{})
		a.mu.Unlock()
		synctest.Wait()
		if diff := cmp.Diff([]int64{5, 6, 901, 902}, sorted(s.ids())); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if left := a.left(); len(left) != 0 {
			t.Errorf("not confirmed: %v", left)
		}
	})
}

// An update without id cannot be confirmed: it is stored, and the poller pauses before it asks again.
func TestPollerBacksOffOnUpdatesWithoutID(t *testing.T) {
	a, s := newBotAPI(1), &store{}
	a.bodies[1] = `{"message":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"},"text":"hi"}}`
	poll(t, a, s, func(t *testing.T, _ *log) {
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(a.called()); n > 20 {
			t.Errorf("asked %d times in a minute", n)
		}
	})
}

func TestPollerKeepsTheOrderOfEachLane(t *testing.T) {
	a, s := newBotAPI(upTo(200)...), &store{}
	s.publish = func(_ context.Context, u queue.Update) error {
		time.Sleep(time.Duration(200-u.ID) * time.Millisecond) // later ones are stored faster
		return nil
	}
	poll(t, a, s, func(t *testing.T, _ *log) {
		time.Sleep(time.Minute)
		synctest.Wait()
		last := map[string]int64{}
		for _, u := range s.updates {
			if u.ID <= last[string(u.Lane)] {
				t.Errorf("lane %s: %d after %d", u.Lane, u.ID, last[string(u.Lane)])
			}
			last[string(u.Lane)] = u.ID
		}
		if len(s.updates) != 200 {
			t.Errorf("stored %d", len(s.updates))
		}
	})
}

func TestPollerConfirmsOnlyStoredUpdates(t *testing.T) {
	a, s := newBotAPI(upTo(50)...), &store{}
	var mu sync.Mutex
	down := true
	s.publish = func(_ context.Context, u queue.Update) error {
		mu.Lock()
		defer mu.Unlock()
		if down && u.ID == 13 {
			return errDown
		}
		return nil
	}
	poll(t, a, s, func(t *testing.T, l *log) {
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := a.left(); len(left) == 0 || left[0] != 13 {
			t.Errorf("left at Telegram: %v, want 13 and on", left)
		}
		if slices.Contains(s.ids(), 23) {
			t.Error("23 passed 13 in its lane")
		}
		if lines := strings.Count(l.String(), "polling pauses"); lines != 1 {
			t.Errorf("logged %d times, want once", lines)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := a.left(); len(left) != 0 {
			t.Errorf("left at Telegram: %v", left)
		}
		if !strings.Contains(l.String(), "polling works again") {
			t.Error("the log does not say that it is over")
		}
	})
}

func TestPollerDeadLettersUnroutableUpdates(t *testing.T) {
	a, s := newBotAPI(1, 2, 3), &store{}
	a.bodies[2] = `{"update_id":2}`
	poll(t, a, s, func(t *testing.T, _ *log) {
		if len(s.ids()) != 2 || len(s.rejected) != 1 || len(a.left()) != 0 {
			t.Errorf("stored %v, rejected %v, left %v", s.ids(), s.rejected, a.left())
		}
	})
}

func TestPollerWaitsOutRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		err      error
		min, max time.Duration
	}{
		"another poller":  {&api.Error{Code: 409}, 100 * time.Millisecond, time.Second},
		"too many":        {&api.Error{Code: 429, RetryAfter: 17 * time.Second}, 17 * time.Second, 18 * time.Second},
		"token refused":   {&api.Error{Code: 401}, 30 * time.Second, 31 * time.Second},
		"connection lost": {errors.New("connection lost"), 100 * time.Millisecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := newBotAPI(1), &store{}
			a.fail = []error{c.err}
			poll(t, a, s, func(t *testing.T, _ *log) {
				time.Sleep(c.min - time.Millisecond)
				synctest.Wait()
				if len(s.ids()) != 0 {
					t.Errorf("came again within %s", c.min)
				}
				time.Sleep(c.max - c.min)
				synctest.Wait()
				if len(s.ids()) != 1 {
					t.Errorf("did not come again within %s", c.max)
				}
			})
		})
	}
}

func TestPollerBacksOff(t *testing.T) {
	a, s := newBotAPI(1), &store{}
	for range 1000 {
		a.fail = append(a.fail, errDown)
	}
	poll(t, a, s, func(t *testing.T, _ *log) {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(a.called()); n < 15 || n > 60 {
			t.Errorf("called %d times in ten minutes", n)
		}
	})
}

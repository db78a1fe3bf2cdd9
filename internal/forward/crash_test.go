package forward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/forward"
)

// mortal is a bot whose process dies of an update that says "boom", with all that is under way.
type mortal struct {
	*httptest.Server
	deaths, answered atomic.Int32

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// live starts a server that can die.
func live(t *testing.T, h http.HandlerFunc) *mortal {
	t.Helper()
	m := &mortal{conns: map[net.Conn]struct{}{}}
	m.Server = httptest.NewUnstartedServer(h)
	m.Config.ConnState = func(c net.Conn, s http.ConnState) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.conns[c] = struct{}{}; s == http.StateClosed {
			delete(m.conns, c)
		}
	}
	m.Start()
	t.Cleanup(m.Close)
	return m
}

// die closes all connections, as the end of the process does.
func (m *mortal) die() {
	m.deaths.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		_ = c.Close()
	}
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	var m *mortal
	slow := make(chan struct{}, 64)
	m = live(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // from then on the context ends with the connection
		if strings.HasSuffix(r.Header.Get(forward.HeaderUpdate), ":1") {
			for range 3 { // others are under way
				select {
				case <-slow:
				case <-time.After(50 * time.Millisecond):
				}
			}
			m.die()
			return
		}
		select {
		case slow <- struct{}{}:
		default:
		}
		select {
		case <-time.After(200 * time.Millisecond):
			m.answered.Add(1)
		case <-r.Context().Done():
		}
	})
	return m
}

// lane makes attempts at an update until it is answered, or its attempts are used up.
func (m *mortal) lane(ctx context.Context, p *bot.Program, id int64) (charged int, last error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		err := p.Answer(ctx, bot.NewTurn(bot.Parts{Bot: bot.Info{ID: 42}, Type: "message", ID: id, Raw: fmt.Appendf(nil, `{"update_id":%d}`, id), Attempt: charged + 1}))
		var away *bot.UnavailableError
		var crash *forward.CrashError
		switch {
		case err == nil, errors.As(err, &crash):
			return charged, err
		case !errors.As(err, &away):
			if charged++; charged == 5 {
				return charged, err
			}
		}
		time.Sleep(wait + time.Duration(id)*time.Millisecond)
	}
}

func forwarding(t *testing.T, url string) *bot.Program {
	t.Helper()
	f := forward.New(forward.Config{Targets: map[int64]forward.Target{42: {URL: url}}}, slog.New(slog.DiscardHandler), nil)
	t.Cleanup(f.Close)
	p, err := f.Router().Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Ten chats wait for their answers when the process dies of an eleventh: the ten cost nothing.
func TestABotThatDiesCostsTheInnocentNothing(t *testing.T) {
	m := newMortal(t)
	p := forwarding(t, m.URL)
	var wg sync.WaitGroup
	charged, ends := make([]int, 12), make([]error, 12)
	for id := 1; id <= 11; id++ {
		wg.Go(func() { charged[id], ends[id] = m.lane(t.Context(), p, int64(id)) })
	}
	wg.Wait()
	for id := 2; id <= 11; id++ {
		if charged[id] != 0 || ends[id] != nil {
			t.Errorf("innocent update %d was charged %d attempts: %v", id, charged[id], ends[id])
		}
	}
	var crash *forward.CrashError
	if ends[1] == nil || charged[1] == 5 == errors.As(ends[1], &crash) {
		t.Errorf("the update that kills was charged %d attempts and ends with %v", charged[1], ends[1])
	}
	if n := m.deaths.Load(); n > 9 {
		t.Errorf("the bot died %d times, want 9 at most", n)
	}
	if m.answered.Load() < 10 {
		t.Errorf("%d updates were answered, want 10", m.answered.Load())
	}
}

func TestAnUpdateThatKillsTheBotAloneUsesItsAttemptsUp(t *testing.T) {
	m := newMortal(t)
	charged, err := m.lane(t.Context(), forwarding(t, m.URL), 1)
	if charged != 5 || err == nil || m.deaths.Load() != 5 {
		t.Errorf("charged %d attempts for %d deaths: %v", charged, m.deaths.Load(), err)
	}
}

// Of updates that were twice under way when the bot died, one at a time is posted.
func TestSuspectsArePostedOneAtATime(t *testing.T) {
	var under, most atomic.Int32
	dying := atomic.Bool{}
	dying.Store(true)
	arrived := make(chan struct{}, 8)
	m := live(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if dying.Load() {
			arrived <- struct{}{}
			<-r.Context().Done()
			return
		}
		n := under.Add(1)
		defer under.Add(-1)
		most.Store(max(most.Load(), n))
		time.Sleep(20 * time.Millisecond)
	})
	p := forwarding(t, m.URL)
	var wg sync.WaitGroup
	failed := atomic.Int32{}
	for id := range 4 {
		wg.Go(func() {
			if charged, err := m.lane(t.Context(), p, int64(id+2)); charged != 0 || err != nil {
				failed.Add(1)
			}
		})
	}
	for round := range 2 {
		for range 4 {
			<-arrived
		}
		if round == 1 {
			dying.Store(false)
		}
		m.die()
	}
	wg.Wait()
	if failed.Load() != 0 || most.Load() != 1 {
		t.Errorf("%d updates were charged or lost, %d suspects were under way at once, want 1", failed.Load(), most.Load())
	}
}

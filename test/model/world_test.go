package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

// world is the reference model: the accepted updates in their order, and what the handler of
// each does. It is the Bot API too, and records the calls.
type world struct {
	t *testing.T

	mu      sync.Mutex
	rng     *rand.Rand
	next    int64
	lanes   map[int64][]int64 // chat -> ids in the order of acceptance, without repetitions
	fates   map[int64]fate
	tries   map[int64]int
	sent    []sending
	excused int
	log     [][]byte // of all processes
}

// fate is how the handler of an update behaves.
type fate struct {
	fails  int           // number of attempts that fail after the first call
	panics bool          // those attempts panic
	poison bool          // it never succeeds
	takes  time.Duration // between its two calls
}

// sending is one call that the Bot API carried out.
type sending struct {
	chat int64
	text string
	by   *process
	at   time.Time
}

func newWorld(t *testing.T, rng *rand.Rand) *world {
	t.Helper()
	return &world{t: t, rng: rng, lanes: map[int64][]int64{}, fates: map[int64]fate{}, tries: map[int64]int{}}
}

// Write records a log line of a process.
func (w *world) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, bytes.Clone(line))
	return len(line), nil
}

func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.roll(int(d))) }

// accept adds an update to the model and chooses its fate.
func (w *world) accept(chat int64) (id int64) {
	kind, fails, takes := w.roll(20), 1+w.roll(2), w.upTo(2*time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	id = w.next
	w.lanes[chat] = append(w.lanes[chat], id)
	switch kind {
	case 0:
		w.fates[id] = fate{poison: true}
	case 1, 2:
		w.fates[id] = fate{fails: fails}
	case 3:
		w.fates[id] = fate{fails: 1, panics: true}
	case 4, 5, 6:
		w.fates[id] = fate{takes: takes}
	}
	return id
}

// tally is the conversation's data: the updates that took effect, in order.
type tally struct{ Done []int64 }

var errRefused = errors.New("handler refuses")

// router answers each update with two messages, and records it in the state.
func (w *world) router() *bot.Router {
	r := bot.New("model")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		id := int64(t.Update().UpdateID)
		w.mu.Lock()
		f, try := w.fates[id], w.tries[id]
		w.tries[id]++
		w.mu.Unlock()
		state, err := bot.UpdateData(t, func(s *tally) { s.Done = append(s.Done, id) })
		if err != nil {
			return err
		}
		if err := t.Answer(ctx, fmt.Sprintf("%d. %d", len(state.Done), id)); err != nil {
			return err
		}
		switch {
		case f.poison, try < f.fails && !f.panics:
			return errRefused
		case try < f.fails:
			panic("handler panics")
		}
		if err := sleep(ctx, f.takes); err != nil {
			return err
		}
		return t.Answer(ctx, fmt.Sprintf("%d. %d, done", len(state.Done), id))
	})
	return r
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// botAPI is the Bot API as one process reaches it.
type botAPI struct {
	w *world
	p *process
}

// RoundTrip carries a call out, unless it has not left its process. A process that is frozen or
// dead meanwhile does not receive the answer.
func (a botAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	var params struct {
		Chat int64  `json:"chat_id"`
		Text string `json:"text"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &params)
	}
	if err != nil {
		return nil, err
	}
	latency, onWay := a.w.upTo(40*time.Millisecond), a.w.roll(2) == 0
	if err := a.p.awake(r.Context()); err != nil {
		return nil, err // it has not left the process
	}
	err = sleep(r.Context(), latency)
	if a.p.isDead() && !onWay {
		return nil, errDead
	}
	a.w.mu.Lock()
	a.w.sent = append(a.w.sent, sending{params.Chat, params.Text, a.p, time.Now()})
	a.w.mu.Unlock()
	if err != nil {
		a.p.missed(time.Now()) // the caller was cancelled before the answer
		return nil, err
	}
	if err := a.p.awake(r.Context()); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader([]byte(`{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5,"type":"private"}}}`))), Request: r,
	}, nil
}

// check compares what happened with the laws.
func (w *world) check(done map[int64][]int64, dead []deadletter.Letter) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	died := map[int64]int{}
	for _, l := range dead {
		died[l.Update]++
		if !w.fates[l.Update].poison {
			w.t.Errorf("update %d became a dead letter (%s, %q, %d attempts), and its handler does not always fail", l.Update, l.Reason, l.Error, l.Attempts)
		}
	}
	for chat, ids := range w.lanes {
		var want []int64
		for _, id := range ids {
			if !w.fates[id].poison {
				want = append(want, id)
			} else if died[id] != 1 {
				w.t.Errorf("poisonous update %d has %d dead letters", id, died[id])
			}
		}
		if fmt.Sprint(done[chat]) != fmt.Sprint(want) {
			w.t.Errorf("lane %d:\n  took effect %v\n  accepted    %v", chat, done[chat], want)
		}
		w.checkCalls(chat, ids)
	}
}

// checkCalls checks that each call was made once, in the order of the lane. A repetition is
// excused if the caller was cut off, frozen or dead when the first call was carried out.
func (w *world) checkCalls(chat int64, ids []int64) {
	w.t.Helper()
	last, n := map[string]sending{}, 1
	var order []string
	for _, s := range w.sent {
		if s.chat != chat {
			continue
		}
		before, again := last[s.text]
		last[s.text] = s
		switch {
		case !again:
			order = append(order, s.text)
		case before.by.troubled(before.at):
			w.excused++
		default:
			w.t.Errorf("lane %d: %q was sent again by %s, though %s had its answer", chat, s.text, s.by.name, before.by.name)
		}
	}
	var want []string
	for _, id := range ids {
		want = append(want, fmt.Sprintf("%d. %d", n, id))
		if !w.fates[id].poison {
			want = append(want, fmt.Sprintf("%d. %d, done", n, id))
			n++
		}
	}
	if fmt.Sprint(order) != fmt.Sprint(want) {
		w.t.Errorf("lane %d:\n  called %q\n  want   %q", chat, order, want)
	}
}

func scope(chat int64) lane.Scope {
	return lane.Scope{Bot: botID, Kind: lane.KindChat, Chat: chat, User: 7}
}

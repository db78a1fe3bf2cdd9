package api_test

import (
	"bytes"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

// Answers without an end cost a bounded memory, however many come at once.
func TestEndlessAnswersCostLittleMemory(t *testing.T) {
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	a := start(t, func(w http.ResponseWriter, _ int, _ seen) {
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	c := a.client(api.Config{}, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Call(t.Context(), token(t), "sendMessage", nil); err == nil || !strings.Contains(err.Error(), "may have had its effect") {
				t.Errorf("error %v", err)
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 20*8 {
		t.Errorf("20 endless answers took %d MiB, want at most 8 each", took)
	} else {
		t.Logf("20 endless answers: %d MiB in all", took)
	}
}

// What cannot be read as an answer is no fault of the line, since it may come each time.
func TestBrokenAnswersSayThatTheCallMayHaveHadItsEffect(t *testing.T) {
	for name, reply := range map[string]func(w http.ResponseWriter, n int, s seen){
		"a length too short": func(w http.ResponseWriter, _ int, _ seen) {
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write([]byte(sent))
		},
		"HTML":    say(200, "<html>welcome</html>"),
		"nothing": say(200, ""),
	} {
		a := start(t, reply)
		_, err := a.client(api.Config{}, nil).Call(t.Context(), token(t), "sendMessage", nil)
		var lost *api.TransportError
		if !errors.As(a.met(err), &lost) || !lost.Broken || lost.Blameless() || !errors.Is(err, api.ErrAnswerLost) ||
			!strings.Contains(err.Error(), "may have had its effect") || len(a.requests()) != 1 {
			t.Errorf("%s: %d requests, error %v", name, len(a.requests()), err)
		}
	}
}

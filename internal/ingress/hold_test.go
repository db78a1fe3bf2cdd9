package ingress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/queue"
)

// listen serves over TCP until the test ends.
func listen(t *testing.T, cfg ingress.Config, s *store) (server *ingress.Server, addr string) {
	t.Helper()
	h, l := webhook(t, cfg, s, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Grace = time.Second
	server = ingress.NewServer(cfg, h, l.logger())
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server, ln.Addr().String()
}

// open sends the beginning of a request on a connection of its own.
func open(t *testing.T, addr, head string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	return c
}

// good sends an update on a connection of its own and returns the answer.
func good(t *testing.T, addr string) *http.Response {
	t.Helper()
	c := open(t, addr, fmt.Sprintf("POST /webhook/111 HTTP/1.1\r\nHost: h\r\nX-Telegram-Bot-Api-Secret-Token: %s\r\nContent-Length: %d\r\n\r\n%s", secret, len(body), body))
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("a good request is not answered: %v", err)
	}
	_ = resp.Body.Close()
	return resp
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// Senders that announce large bodies and send one byte cost what they have sent, with the right
// secret as without, and the others are answered.
func TestAnnouncedBodiesTakeNoMemory(t *testing.T) {
	_, addr := listen(t, settings(), &store{})
	const slow = 400
	before := heap()
	for i := range slow {
		shown := secret
		if i%2 == 1 {
			shown = "a wrong one"
		}
		open(t, addr, "POST /webhook/111 HTTP/1.1\r\nHost: h\r\nX-Telegram-Bot-Api-Secret-Token: "+shown+"\r\nContent-Length: 1000000\r\n\r\n{")
	}
	if code := good(t, addr).StatusCode; code != http.StatusOK {
		t.Errorf("a good request is answered %d", code)
	}
	if each := (heap() - before) / slow; each > 64<<10 {
		t.Errorf("each of %d slow senders costs %d bytes, want at most 64 KiB", slow, each)
	}
}

// Connections that bring nothing are bounded, and keep out none that brings an update, nor one that has.
func TestConnectionsThatBringNothingAreReplaced(t *testing.T) {
	cfg := settings()
	cfg.MaxConns = 32
	_, addr := listen(t, cfg, &store{})
	worker := open(t, addr, "")
	works := func() {
		t.Helper()
		if _, err := fmt.Fprintf(worker, "POST /webhook/111 HTTP/1.1\r\nHost: h\r\nX-Telegram-Bot-Api-Secret-Token: %s\r\nContent-Length: %d\r\n\r\n%s", secret, len(body), body); err != nil {
			t.Fatal(err)
		}
		_ = worker.SetReadDeadline(time.Now().Add(10 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(worker), nil)
		if err != nil {
			t.Fatalf("a connection that brought an update is gone: %v", err)
		}
		_ = resp.Body.Close()
	}
	works()
	var idle []net.Conn
	for range 200 {
		idle = append(idle, open(t, addr, "POST /webhook/111 HTTP/1.1\r\n"))
	}
	if code := good(t, addr).StatusCode; code != http.StatusOK {
		t.Errorf("a good request is answered %d", code)
	}
	works()
	stay := 0
	for _, c := range idle {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			stay++
		}
	}
	if stay > 32 {
		t.Errorf("%d connections that brought nothing are open, want at most 32", stay)
	}
}

// A server that leaves closes each connection with its answer, and goes on answering.
func TestServerThatLeavesClosesConnectionsWithTheirAnswers(t *testing.T) {
	server, addr := listen(t, settings(), &store{})
	if good(t, addr).Close {
		t.Error("a connection is closed before the server leaves")
	}
	server.Leave()
	if resp := good(t, addr); !resp.Close || resp.StatusCode != http.StatusOK {
		t.Errorf("answered %d, close %t, want 200 and the end of the connection", resp.StatusCode, resp.Close)
	}
}

// Senders that meet a full stream do not come back all at once.
func TestFullStreamSpreadsRepetitions(t *testing.T) {
	h, _ := webhook(t, settings(), &store{publish: func(context.Context, queue.Update) error { return fmt.Errorf("publish: %w", queue.ErrFull) }}, nil)
	var pauses []int
	for range 60 {
		w := post(h, request(body))
		pause, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if err != nil || w.Code != http.StatusServiceUnavailable {
			t.Fatalf("answered %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		pauses = append(pauses, pause)
	}
	slices.Sort(pauses)
	if pauses = slices.Compact(pauses); !slices.Equal(pauses, []int{1, 2, 3}) {
		t.Errorf("pauses of %v s, want 1, 2 and 3", pauses)
	}
}

// An update that is larger than the broker takes becomes a dead letter that fits, instead of coming for ever.
func TestUpdateThatNeverFitsBecomesADeadLetter(t *testing.T) {
	s := &store{publish: func(context.Context, queue.Update) error { return fmt.Errorf("publish: %w", queue.ErrTooLarge) }}
	h, _ := webhook(t, settings(), s, nil)
	large := strings.Replace(body, words, strings.Repeat("x", 500_000), 1)
	if w := post(h, request(large)); w.Code != http.StatusOK || len(s.rejected) != 1 || len(s.rejected[0]) > 64<<10 {
		t.Errorf("answered %d with %d dead letters", w.Code, len(s.rejected))
	}
}

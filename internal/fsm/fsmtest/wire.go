package fsmtest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Wire is a TCP proxy in front of real servers that can be cut at any answer.
type Wire struct {
	Addr string // "127.0.0.1:port", to the first server

	addrs   map[string]string // of a server -> of the listener in front of it
	running sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	armed   bool
	pass    int  // answers until the cut
	forward bool // the request after them is still carried out
	cut     bool
	answers int // passed since the start
}

// NewWire listens on free ports and forwards to the targets until the test ends.
func NewWire(t *testing.T, targets ...string) *Wire {
	t.Helper()
	w := &Wire{addrs: make(map[string]string), conns: make(map[net.Conn]bool)}
	ctx := context.WithoutCancel(t.Context())
	var listeners []net.Listener
	for _, target := range targets {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listen: %v", err)
		}
		w.addrs[target] = l.Addr().String()
		w.running.Go(func() { w.accept(ctx, l, target) })
		listeners = append(listeners, l)
	}
	t.Cleanup(func() {
		w.Cut()
		for _, l := range listeners {
			_ = l.Close()
		}
		w.running.Wait()
	})
	w.Addr = w.addrs[targets[0]]
	return w
}

func (w *Wire) Dial(ctx context.Context, network, target string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, w.addrs[target])
}

// Cut closes every connection and lets none through.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sever()
}

// CutAfter cuts after so many answers. With forward, the next request is carried out and its
// answer lost; without, it gets nowhere.
func (w *Wire) CutAfter(answers int, forward bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.pass, w.forward = true, answers, forward
	if answers == 0 && !forward {
		w.sever()
	}
}

func (w *Wire) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.cut = false, false
}

func (w *Wire) Answers() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers
}

// sever needs w.mu.
func (w *Wire) sever() {
	w.cut = true
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *Wire) accept(ctx context.Context, l net.Listener, target string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		w.running.Go(func() { w.serve(ctx, c, target) })
	}
}

func (w *Wire) serve(ctx context.Context, client net.Conn, target string) {
	defer func() { _ = client.Close() }()
	d := net.Dialer{Timeout: time.Second}
	server, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !w.add(client, server) {
		return
	}
	defer w.drop(client, server)
	w.running.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	w.answer(client, server)
}

func (w *Wire) add(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	for _, c := range conns {
		w.conns[c] = true
	}
	return true
}

func (w *Wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

func (w *Wire) answer(client, server net.Conn) {
	buf := make([]byte, 1<<20)
	for {
		n, err := server.Read(buf)
		if n > 0 && !w.let(client, server, buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// let passes an answer on unless it is to be lost. After the last one that passes, it closes the
// way to the server before the client sees the answer, so that no request can follow.
func (w *Wire) let(client, server net.Conn, answer []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.armed && w.pass == 0 {
		w.sever()
	}
	if w.cut {
		return false
	}
	w.answers++
	last := false
	if w.armed {
		w.pass--
		last = w.pass == 0 && !w.forward
	}
	if last {
		_ = server.Close()
		delete(w.conns, client)
		w.sever()
	}
	_, err := client.Write(answer)
	return err == nil && !last
}

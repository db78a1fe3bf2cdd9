package natstest

import (
	"net"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker/embedded"
)

// Wire is one client's way to an in-process server. Held, it passes and loses nothing, like a frozen process.
type Wire struct {
	server *embedded.Server

	mu    sync.Mutex
	open  chan struct{} // closed unless the wire is held
	cut   bool
	conns []*gated
}

func NewWire(s *embedded.Server) *Wire {
	w := &Wire{server: s, open: make(chan struct{})}
	close(w.open)
	return w
}

func (w *Wire) Option() nats.Option { return nats.InProcessServer(w) }

// InProcessConn implements nats.InProcessConnProvider. A held wire takes no new client.
func (w *Wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut || w.held() {
		return nil, net.ErrClosed
	}
	c, err := w.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	g := &gated{Conn: c, wire: w, more: make(chan struct{}, 1)}
	go g.pump()
	w.conns = append(w.conns, g)
	return g, nil
}

// Hold stops everything on its way.
func (w *Wire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.cut && !w.held() {
		w.open = make(chan struct{})
	}
}

// Thaw lets everything through again, in order.
func (w *Wire) Thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held() {
		close(w.open)
	}
}

// Cut ends the wire for good, as the death of its process does.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		_ = c.Conn.Close()
	}
	if w.held() {
		close(w.open)
	}
}

// held needs w.mu.
func (w *Wire) held() bool {
	select {
	case <-w.open:
		return false
	default:
		return true
	}
}

func (w *Wire) gate() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

// gated buffers writes, as a socket does: a writer is never held.
type gated struct {
	net.Conn
	wire *Wire
	more chan struct{}

	mu     sync.Mutex
	sent   []byte
	closed bool
}

func (g *gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	<-g.wire.gate()
	return n, err
}

func (g *gated) Write(b []byte) (int, error) {
	g.mu.Lock()
	g.sent = append(g.sent, b...)
	g.mu.Unlock()
	g.wake()
	return len(b), nil
}

// Close lets what was written arrive first.
func (g *gated) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wake()
	return nil
}

func (g *gated) wake() {
	select {
	case g.more <- struct{}{}:
	default:
	}
}

func (g *gated) pump() {
	defer func() { _ = g.Conn.Close() }()
	for range g.more {
		<-g.wire.gate()
		g.mu.Lock()
		sent, closed := g.sent, g.closed
		g.sent = nil
		g.mu.Unlock()
		if _, err := g.Conn.Write(sent); closed || err != nil && len(sent) > 0 {
			return
		}
	}
}

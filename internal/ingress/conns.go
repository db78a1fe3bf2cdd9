package ingress

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// conns bounds the open connections. At the bound a new one replaces the oldest that has not brought an
// update yet: connections that do nothing keep out none that work. Safe for concurrent use.
type conns struct {
	max int

	mu      sync.Mutex
	open    map[net.Conn]*conn
	unknown list.List // of *conn, oldest first: they have not brought an update yet
}

// conn is one connection of the server.
type conn struct {
	net   net.Conn
	of    *conns
	end   time.Time     // when it should close
	place *list.Element // in unknown; nil once it has brought an update
}

// add takes a new connection in; at the bound it closes another one, or this one.
func (c *conns) add(n net.Conn, end time.Time) *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[net.Conn]*conn)
	}
	now := &conn{net: n, of: c, end: end}
	if len(c.open) >= c.max {
		oldest := c.unknown.Front()
		if oldest == nil {
			_ = n.Close()
			return now
		}
		c.remove(oldest.Value.(*conn).net)
		_ = oldest.Value.(*conn).net.Close()
	}
	now.place = c.unknown.PushBack(now)
	c.open[n] = now
	return now
}

// changed is the server's hook.
func (c *conns) changed(n net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(n)
	}
}

// remove needs c.mu.
func (c *conns) remove(n net.Conn) {
	if gone := c.open[n]; gone != nil {
		delete(c.open, n)
		gone.prove()
	}
}

// prove keeps the connection from being replaced. It needs the mutex of conns.
func (c *conn) prove() {
	if c.place != nil {
		c.of.unknown.Remove(c.place)
		c.place = nil
	}
}

type connKey struct{}

func (c *conn) in(ctx context.Context) context.Context { return context.WithValue(ctx, connKey{}, c) }

func connOf(r *http.Request) (*conn, bool) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	return c, ok
}

// proveUseful notes that the request's connection has brought an update.
func proveUseful(r *http.Request) {
	if c, ok := connOf(r); ok {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.prove()
	}
}

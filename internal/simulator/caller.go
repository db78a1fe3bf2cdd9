package simulator

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// callerConn is a caller's connection. It holds the last answered call, to find out whether the caller left
// with the answer unread: closing a socket that holds unread bytes resets the connection, and so do bytes
// that arrive at a closed socket.
type callerConn struct {
	net.Conn
	record *record
	caller string
	number int

	mu    sync.Mutex
	last  int // Seq of the last answered call, -1 while a request is being read or answered
	ended bool
	reset bool
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if l, ok := c.(*callerConn); ok {
		return context.WithValue(ctx, connKey{}, l)
	}
	return ctx
}

func connOf(ctx context.Context) *callerConn {
	l, _ := ctx.Value(connKey{}).(*callerConn)
	return l
}

func (r *record) watch(l net.Listener, caller string) net.Listener {
	return &callerListener{l, r, caller}
}

type callerListener struct {
	net.Listener
	record *record
	caller string
}

func (s *callerListener) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l := &callerConn{Conn: c, record: s.record, caller: s.caller, last: -1}
	s.record.opened(l)
	return l, nil
}

func (l *callerConn) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
		l.end(err)
	}
	return n, err
}

func (l *callerConn) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.reset = true, !errors.Is(err, io.EOF) || socketFailed(l.Conn)
	l.record.closed(l.number, time.Now())
	if l.reset {
		l.record.gone(l.last)
	}
}

func (l *callerConn) id() int {
	if l == nil {
		return 0
	}
	return l.number
}

func (l *callerConn) callerName() string {
	if l == nil {
		return ""
	}
	return l.caller
}

func (l *callerConn) asked() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = -1
}

// answered notes that the answer was written, and reports whether the caller left without reading it.
func (l *callerConn) answered(seq int) (gone bool) {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = seq
	return l.ended && (l.reset || socketFailed(l.Conn))
}

func socketFailed(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	failed := false
	err = raw.Control(func(fd uintptr) { failed = socketError(fd) })
	return err == nil && failed
}

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

// line is a caller's connection. It knows the last answered call, and so whether the
// caller left with that answer unread: closing a socket that holds unread bytes
// resets the connection, and bytes that meet a closed one are answered by a reset.
type line struct {
	net.Conn
	record *record
	caller string
	number int

	mu    sync.Mutex
	last  int // Seq of the last answered call, -1 while a request is being read or answered
	ended bool
	reset bool
}

type lineKey struct{}

func withLine(ctx context.Context, c net.Conn) context.Context {
	if l, ok := c.(*line); ok {
		return context.WithValue(ctx, lineKey{}, l)
	}
	return ctx
}

func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// watch makes lines of what a caller's listener accepts.
func (r *record) watch(l net.Listener, caller string) net.Listener {
	return &switchboard{l, r, caller}
}

type switchboard struct {
	net.Listener
	record *record
	caller string
}

// Accept waits for the next caller.
func (s *switchboard) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l := &line{Conn: c, record: s.record, caller: s.caller, last: -1}
	s.record.opened(l)
	return l, nil
}

// Read reads as the connection does, and notes its end.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
		l.end(err)
	}
	return n, err
}

func (l *line) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.reset = true, !errors.Is(err, io.EOF) || socketFailed(l.Conn)
	l.record.closed(l.number, time.Now())
	if l.reset {
		l.record.gone(l.last)
	}
}

func (l *line) id() int {
	if l == nil {
		return 0
	}
	return l.number
}

func (l *line) who() string {
	if l == nil {
		return ""
	}
	return l.caller
}

// asked notes that a request came: whatever was answered before has been read.
func (l *line) asked() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = -1
}

// answered notes that the answer to a call was written; it tells whether the caller
// has left without reading it. One that read it and left at once is not gone.
func (l *line) answered(seq int) (gone bool) {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = seq
	return l.ended && (l.reset || socketFailed(l.Conn))
}

// socketFailed tells whether the peer has reset the connection.
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

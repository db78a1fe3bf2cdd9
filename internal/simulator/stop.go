package simulator

import (
	"net"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
)

type stop struct {
	caller   string
	from, to time.Time // to is zero while it lasts
}

func (s *stop) covers(at time.Time) bool {
	return !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to))
}

// Stopped notes that a caller's process has been killed or frozen. Answers from now on do not reach it, nor
// do those waiting in its sockets: a killed process resets its connections; the sockets of a frozen one are
// read from /proc (Linux). The process may have read an answer without recording it: noted must tell whether
// it recorded its last call in each chat. Earlier calls of a chat were recorded, since the chat went on.
func (t *Telegram) Stopped(caller string, noted func(Call) bool) {
	r := t.record
	// An answer counts as written after this until its connection has noted the write.
	from := time.Now()
	r.unread(caller)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = append(r.stops, stop{caller: caller, from: from})
	last := make(map[int64]*Call)
	for i := range r.done {
		if c := &r.done[i]; c.Caller == caller {
			if before := last[c.Chat]; before != nil {
				before.noted = true
			}
			last[c.Chat] = c
		}
	}
	for _, c := range last {
		c.noted = noted(*c)
		if !c.noted && !c.Answered.IsZero() {
			c.Stop = len(r.stops)
		}
	}
}

func (r *record) unread(caller string) {
	waiting := waitingBytes()
	r.mu.Lock()
	var open []*callerConn
	for _, l := range r.open {
		if l.caller == caller {
			open = append(open, l)
		}
	}
	r.mu.Unlock() // lock order: a connection's mutex, then r.mu
	for _, l := range open {
		if waiting[ends{l.RemoteAddr().String(), l.LocalAddr().String()}] > 0 {
			l.mu.Lock()
			r.gone(l.last)
			l.mu.Unlock()
		}
	}
}

type ends struct{ local, remote string }

// waitingBytes is the unread bytes of each local socket, by /proc/net/tcp (proc(5)); empty without a /proc.
func waitingBytes() map[ends]uint64 {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil
	}
	sockets, err := proc.NetTCP() //nolint:staticcheck // netlink, which it recommends, gives no more and needs a socket of its own
	if err != nil {
		return nil
	}
	waiting := make(map[ends]uint64, len(sockets))
	address := func(ip net.IP, port uint64) string {
		return net.JoinHostPort(ip.String(), strconv.FormatUint(port, 10))
	}
	for _, s := range sockets {
		waiting[ends{address(s.LocalAddr, s.LocalPort), address(s.RemAddr, s.RemPort)}] = s.RxQueue
	}
	return waiting
}

// Resumed ends the period that Stopped began.
func (t *Telegram) Resumed(caller string) {
	r := t.record
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.stops {
		if s := &r.stops[i]; s.caller == caller && s.to.IsZero() {
			s.to = time.Now()
		}
	}
}

// stoppedBefore: the caller was stopped when the answer was written or, without one, since the call. It needs r.mu.
func (r *record) stoppedBefore(c *Call) bool {
	for i := range r.stops {
		s := &r.stops[i]
		if s.caller != c.Caller || c.noted {
			continue
		}
		if c.Answered.IsZero() && !s.from.Before(c.At) || s.covers(c.Answered) {
			return true
		}
	}
	return false
}

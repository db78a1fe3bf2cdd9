package simulator

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is one executed Bot API call.
type Call struct {
	Seq       int // position in the record, from 0; -1 of refused ones
	At        time.Time
	Bot       int64
	Method    string
	Chat      int64
	Text      string // text or caption
	MessageID int64  // the id that was given, edited or deleted
	Params    map[string]string
	Files     []Upload
	InWebhook bool // made in the answer to a webhook request
	Code      int  // 200, or the refusal's

	Caller   string    // the name given to ServeAPI
	Answered time.Time // when the answer was written; zero if it was not
	// Gone means that the answer did not reach the caller: it hung up, its connection died, it was stopped
	// with the answer unread, or a fault lost the answer.
	Gone bool
	// Stop numbers, from 1, the Stopped that came between the answer and the caller's record of it; 0 if none did.
	Stop   int
	Closed time.Time // when the caller closed the connection; zero if it did not

	noted bool // its caller recorded it before it was stopped
	conn  int  // number of its connection, from 1; 0 if it is unknown
}

// Upload is a file that came with a call.
type Upload struct {
	Field, Name, SHA256 string
	Size                int64
}

// Filter picks calls; each field that is set must fit.
type Filter struct {
	Bot     int64
	Chat    int64
	Method  string
	Sent    bool // only calls that made a message
	Refused bool // calls that were refused with 4xx too; else only executed ones
	Since   int  // Seq at least
}

func (f Filter) takes(c *Call) bool {
	return (f.Bot == 0 || f.Bot == c.Bot) && (f.Chat == 0 || f.Chat == c.Chat) &&
		(f.Method == "" || strings.EqualFold(f.Method, c.Method)) &&
		(!f.Sent || (c.MessageID != 0 && makesMessage(c.Method))) &&
		(f.Refused || c.Code == 200) && (c.Seq >= f.Since || c.Code != 200)
}

func makesMessage(method string) bool {
	return strings.HasPrefix(method, "send") || method == "copyMessage" || method == "forwardMessage"
}

// record keeps refused calls apart, so that the executed ones stay one slice.
type record struct {
	mu       sync.Mutex
	done     []Call
	refused  []Call
	closedAt []time.Time // when each was closed by the caller
	open     map[int]*callerConn
	stops    []stop
	changed  broadcast
}

func newRecord() *record { return &record{open: make(map[int]*callerConn)} }

func (r *record) add(c Call) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Code != 200 {
		c.Seq = -1
		r.refused = append(r.refused, c)
		return -1
	}
	c.Seq = len(r.done)
	r.done = append(r.done, c)
	return c.Seq
}

func (r *record) gone(seq int) {
	if seq < 0 {
		return
	}
	r.mu.Lock()
	r.done[seq].Gone = true
	r.mu.Unlock()
	r.changed.send()
}

func (r *record) opened(l *callerConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closedAt = append(r.closedAt, time.Time{})
	l.number = len(r.closedAt)
	r.open[l.number] = l
}

func (r *record) closed(conn int, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closedAt[conn-1] = at
	delete(r.open, conn)
}

func (r *record) answered(seq int, at time.Time) {
	if seq < 0 {
		return
	}
	r.mu.Lock()
	r.done[seq].Answered = at
	r.mu.Unlock()
	r.changed.send()
}

// current fills in Closed and Gone as of now; it needs r.mu.
func (r *record) current(c Call) Call {
	if c.conn != 0 {
		c.Closed = r.closedAt[c.conn-1]
	}
	c.Gone = c.Gone || r.stoppedBefore(&c)
	return c
}

func (r *record) calls(filters ...Filter) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(filters) == 0 {
		filters = []Filter{{}}
	}
	var out []Call
	pick := func(from []Call) {
		for i := range from {
			if slices.ContainsFunc(filters, func(f Filter) bool { return f.takes(&from[i]) }) {
				out = append(out, r.current(from[i]))
			}
		}
	}
	pick(r.done)
	if done := len(out); len(r.refused) > 0 {
		if pick(r.refused); len(out) > done {
			slices.SortStableFunc(out, func(a, b Call) int { return a.At.Compare(b.At) })
		}
	}
	return out
}

func (r *record) await(ctx context.Context, done func([]Call) bool) error {
	return r.changed.until(ctx, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return done(slices.Clip(r.done))
	})
}

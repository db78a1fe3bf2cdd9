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
	InWebhook bool // it stood in the answer to a webhook request
	Code      int  // 200, or of the refusal

	Caller   string    // whom the listener is for, see ServeAPI
	Answered time.Time // when the answer was written; zero if it was not
	// Gone tells that the caller was gone before the answer could reach it: it hung
	// up, its end of the connection died with the answer unread, it was stopped
	// before or with the answer unread, or a fault lost the answer.
	Gone bool
	// Stop is the number of the Stopped, from 1, that came between the answer and its
	// caller's note of it; 0 if there was none.
	Stop   int
	Closed time.Time // when the caller closed the connection; zero if it did not

	noted bool // its caller had made a note of it when it was stopped
	line  int  // the connection it came on, from 1; 0 if that is not known
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

// record is what was called. Refused calls are kept apart, so that the executed ones
// stay one slice.
type record struct {
	mu      sync.Mutex
	done    []Call
	refused []Call
	lines   []time.Time // when each was closed by the caller
	open    map[int]*line
	stops   []stop
	bell    bell
}

func newRecord() *record { return &record{open: make(map[int]*line)} }

// add notes a call and returns its Seq, -1 if it was refused.
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

// gone notes that the caller will not have heard the answer to a call.
func (r *record) gone(seq int) {
	if seq < 0 {
		return
	}
	r.mu.Lock()
	r.done[seq].Gone = true
	r.mu.Unlock()
	r.bell.ring()
}

// opened gives a new connection its number.
func (r *record) opened(l *line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, time.Time{})
	l.number = len(r.lines)
	r.open[l.number] = l
}

// closed notes that the caller closed a connection.
func (r *record) closed(line int, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[line-1] = at
	delete(r.open, line)
}

// answered notes when the answer to a call was written.
func (r *record) answered(seq int, at time.Time) {
	if seq < 0 {
		return
	}
	r.mu.Lock()
	r.done[seq].Answered = at
	r.mu.Unlock()
	r.bell.ring()
}

// look is a call with what is known by now; it needs r.mu.
func (r *record) look(c Call) Call {
	if c.line != 0 {
		c.Closed = r.lines[c.line-1]
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
				out = append(out, r.look(from[i]))
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
	return r.bell.until(ctx, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return done(slices.Clip(r.done))
	})
}

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

	// Gone tells that the caller was gone before the answer could reach it: it hung
	// up, its end of the connection died with the answer unread, or a fault lost it.
	Gone bool
	// Closed is when the caller closed the connection on which this was the last
	// call; zero if it did not. Soon after At, it may mean that the caller read the
	// answer and died before it could do anything with it.
	Closed time.Time
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
	bell    bell
}

func newRecord() *record { return &record{} }

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

// closed notes when the caller closed the connection after a call.
func (r *record) closed(seq int, at time.Time) {
	if seq < 0 {
		return
	}
	r.mu.Lock()
	r.done[seq].Closed = at
	r.mu.Unlock()
}

func (r *record) calls(filters ...Filter) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(filters) == 0 {
		return slices.Clone(r.done)
	}
	var out []Call
	pick := func(from []Call) {
		for i := range from {
			if slices.ContainsFunc(filters, func(f Filter) bool { return f.takes(&from[i]) }) {
				out = append(out, from[i])
			}
		}
	}
	pick(r.done)
	pick(r.refused)
	slices.SortStableFunc(out, func(a, b Call) int { return a.At.Compare(b.At) })
	return out
}

func (r *record) await(ctx context.Context, done func([]Call) bool) error {
	return r.bell.until(ctx, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return done(slices.Clip(r.done))
	})
}

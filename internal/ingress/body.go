package ingress

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

const (
	// maxPooled, in bytes, keeps one large update from occupying its size for ever.
	maxPooled = 64 << 10
	// firstRead is the memory that a request gets before it has sent anything of its body, in bytes.
	firstRead = 4 << 10
	// maxInFlight bounds the memory of all bodies that are being read or stored, in bytes.
	maxInFlight = 128 << 20
)

type bodies struct {
	pool  sync.Pool
	max   int64 // largest body, in bytes
	total int64 // memory of all; 0 means maxInFlight
	taken atomic.Int64
}

// body is a borrowed buffer. It counts until done.
type body struct {
	*bytes.Buffer
	of      *bodies
	counted int64
}

// read reads the body. Memory is taken as bytes arrive, whatever length the sender announces. The caller
// ends the body with done, or with drop while its bytes may be in use.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (*body, outcome) {
	buf, ok := b.pool.Get().(*bytes.Buffer)
	if !ok {
		buf = bytes.NewBuffer(make([]byte, 0, firstRead))
	}
	buf.Reset()
	got := &body{Buffer: buf, of: b}
	result := got.fill(http.MaxBytesReader(w, r.Body, b.max))
	if result != accepted {
		got.done()
		return nil, result
	}
	return got, accepted
}

func (b *body) fill(from io.Reader) outcome {
	for {
		if b.Available() < bytes.MinRead {
			b.Grow(max(b.Len(), bytes.MinRead))
		}
		if !b.count() {
			return crowded
		}
		n, err := from.Read(b.AvailableBuffer()[:b.Available()])
		_, _ = b.Write(b.AvailableBuffer()[:n]) // the bytes are there already: this moves the end
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return accepted
		default:
			if _, over := errors.AsType[*http.MaxBytesError](err); over {
				return tooLarge
			}
			return aborted
		}
	}
}

// count notes the buffer's memory. It reports whether there is room for it.
func (b *body) count() bool {
	more := int64(b.Cap()) - b.counted
	b.counted += more
	limit := b.of.total
	if limit == 0 {
		limit = maxInFlight
	}
	return b.of.taken.Add(more) <= limit || more == 0
}

// drop ends the body without its buffer, which may still be read.
func (b *body) drop() { b.of.taken.Add(-b.counted) }

// done ends the body and keeps its buffer for another one.
func (b *body) done() {
	b.drop()
	if b.Cap() <= maxPooled {
		b.of.pool.Put(b.Buffer)
	}
}

package ingress

import (
	"bytes"
	"errors"
	"net/http"
	"sync"
)

// maxPooled, in bytes, keeps one large update from occupying its size for ever.
const maxPooled = 64 << 10

type bodies struct {
	pool sync.Pool
	max  int64 // largest body, in bytes
}

// read reads the body. The caller gives the buffer back only once its bytes are no longer in use.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (*bytes.Buffer, outcome) {
	buf, ok := b.pool.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	if n := r.ContentLength; n > 0 && n <= b.max {
		buf.Grow(int(n) + bytes.MinRead) // ReadFrom needs that much room to find the end
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, b.max))
	if err == nil {
		return buf, accepted
	}
	b.give(buf)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	return nil, aborted
}

func (b *bodies) give(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooled {
		b.pool.Put(buf)
	}
}

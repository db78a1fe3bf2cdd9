package ingress

import (
	"bytes"
	"errors"
	"net/http"
	"sync"
)

// maxPooled bounds the buffers that are kept, so that one large update does not
// occupy its size for ever, in bytes.
const maxPooled = 64 << 10

// bodies lends buffers to requests.
type bodies struct {
	pool sync.Pool
	max  int64 // largest body, in bytes
}

// read takes in the body. The buffer goes back by give, but only once nobody holds
// its bytes; otherwise it is simply dropped.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (*bytes.Buffer, outcome) {
	buf, ok := b.pool.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	if n := r.ContentLength; n > 0 && n <= b.max {
		buf.Grow(int(n) + bytes.MinRead) // ReadFrom wants that much room to see the end
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

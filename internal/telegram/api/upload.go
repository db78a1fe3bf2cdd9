package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	ta "github.com/mymmrac/telego/telegoapi"
)

var errUpload = errors.New("files are too large to be held in memory; give an os.File")

type files struct {
	parts  []part
	size   int64 // of all of them
	digest [sha256.Size]byte
}

type part struct {
	field, name string
	data        []byte
	again       io.ReadSeeker
	start, size int64
}

// Read satisfies telego's type of a body; nothing reads files through it.
func (f *files) Read([]byte) (int, error) { return 0, io.EOF }

// collect reads each file for its digest. It keeps those that cannot be read again in memory, up to most bytes.
func collect(from map[string]ta.NamedReader, most int64) (*files, error) {
	f := &files{}
	h := sha256.New()
	for _, field := range slices.Sorted(maps.Keys(from)) {
		if isNil(from[field]) {
			continue
		}
		p := part{field: field, name: from[field].Name()}
		_, _ = fmt.Fprintf(h, "%q %q ", p.field, p.name)
		if err := p.read(from[field], h, most); err != nil {
			return nil, fmt.Errorf("read file %s: %w", field, err)
		}
		_, _ = fmt.Fprintf(h, " %d\n", p.size)
		most -= int64(len(p.data))
		f.size += p.size
		f.parts = append(f.parts, p)
	}
	f.digest = [sha256.Size]byte(h.Sum(nil))
	return f, nil
}

func (p *part) read(from io.Reader, h io.Writer, most int64) (err error) {
	if s, ok := from.(io.ReadSeeker); ok {
		if p.start, err = s.Seek(0, io.SeekCurrent); err == nil {
			p.again = s
			p.size, err = io.Copy(h, s)
			return err
		}
	}
	if p.data, err = io.ReadAll(io.LimitReader(from, most+1)); err != nil {
		return err
	}
	if p.size = int64(len(p.data)); p.size > most {
		return errUpload
	}
	_, err = h.Write(p.data)
	return err
}

func (p *part) open() (io.Reader, error) {
	if p.again == nil {
		return bytes.NewReader(p.data), nil
	}
	if _, err := p.again.Seek(p.start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read file %s again: %w", p.field, err)
	}
	return io.LimitReader(p.again, p.size), nil
}

type form struct {
	body *revocable
	kind string
	size int64
}

// form builds the body of one attempt. Its length is known, so that a server never takes a part of it for the
// whole.
func (f *files) form(params json.RawMessage) (*form, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(params, &fields); err != nil {
		return nil, fmt.Errorf("parameters are no object: %w", err)
	}
	var head bytes.Buffer
	var pieces []io.Reader
	out := &form{}
	w := multipart.NewWriter(&head)
	flush := func() {
		out.size += int64(head.Len())
		pieces = append(pieces, bytes.NewReader(bytes.Clone(head.Bytes())))
		head.Reset()
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if f.has(name) {
			continue
		}
		if err := w.WriteField(name, fieldText(fields[name])); err != nil {
			return nil, err
		}
	}
	for i := range f.parts {
		p := &f.parts[i]
		if _, err := w.CreateFormFile(p.field, p.name); err != nil {
			return nil, err
		}
		flush()
		r, err := p.open()
		if err != nil {
			return nil, err
		}
		out.size += p.size
		pieces = append(pieces, r)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	flush()
	out.kind = w.FormDataContentType()
	out.body = &revocable{r: io.MultiReader(pieces...)}
	return out, nil
}

func (f *files) has(field string) bool {
	return slices.ContainsFunc(f.parts, func(p part) bool { return p.field == field })
}

// revocable is a body that can be withdrawn from a transport, which may go on reading after the call has ended.
type revocable struct {
	mu sync.Mutex
	r  io.Reader
}

func (h *revocable) Read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.r == nil {
		return 0, io.ErrClosedPipe
	}
	return h.r.Read(b)
}

func (h *revocable) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.r = nil
	return nil
}

func fieldText(v json.RawMessage) string {
	var s string
	if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// view shows a form to request middleware as one object: numbers, lists and objects as such, files by their names.
func view(fields map[string]string, f *files) (json.RawMessage, error) {
	all := maps.Clone(fields)
	for _, p := range f.parts {
		all[p.field] = p.name
	}
	out := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = jsontext.AppendQuote(out, name); err != nil {
			return nil, fmt.Errorf("parameter name: %w", err)
		}
		out = append(out, ':')
		if v := all[name]; !isText(name) && isPlain(v) && !f.has(name) {
			out = append(out, v...)
		} else if out, err = jsontext.AppendQuote(out, v); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return append(out, '}'), nil
}

// isPlain reports whether a value is JSON other than a string. In a form a value in quotes is a text with quotes.
func isPlain(v string) bool {
	return v != "" && v[0] != '"' && v[0] > ' ' && json.Valid([]byte(v))
}

func isText(name string) bool {
	switch name {
	case "text", "caption", "title", "performer", "name", "parse_mode", "business_connection_id":
		return true
	}
	return false
}

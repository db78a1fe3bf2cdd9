package update

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

var errWalk = errors.New("not json")

// walker reads one body token by token. It borrows the body and copies what it keeps.
type walker struct {
	dec       *jsontext.Decoder
	buf       bytes.Buffer
	scratch   []byte
	bad       bool // an id was found that is no whole number
	searching bool // chats and users below the payload count too
	inner     bool // the payload's message counts too
	named     bool // the payload's own id counts
	asking    bool // the payload's private chat counts
	top       findings
	message   findings // of a callback query
}

// findings is what a payload says about its place. Zero ids are absent.
type findings struct {
	chat, from, user, sender, actor, voter int64
	private                                int64 // of a join request: the chat with the asker

	thread, topic  int64
	isTopic, guest bool
	business, id   string
	album          string

	chatLevel, fromLevel, userLevel int // how deep they were found; for searching
}

//nolint:gochecknoglobals // a pool is shared by nature and holds nothing that outlives a call
var walkers = sync.Pool{New: func() any { return &walker{dec: jsontext.NewDecoder(&bytes.Buffer{})} }}

func borrowWalker(body []byte) *walker {
	w, _ := walkers.Get().(*walker)
	w.buf = *bytes.NewBuffer(body)
	w.dec.Reset(&w.buf)
	return w
}

func (w *walker) giveBack() {
	*w = walker{dec: w.dec, scratch: w.scratch[:0]}
	w.dec.Reset(&w.buf)
	walkers.Put(w)
}

func (w *walker) read() (jsontext.Value, error) {
	v, err := w.dec.ReadValue()
	if err != nil {
		return nil, errWalk
	}
	return v, nil
}

func (w *walker) enter() (isObject bool, err error) {
	if w.dec.PeekKind() != '{' {
		_, err = w.read()
		return false, err
	}
	if _, err = w.dec.ReadToken(); err != nil {
		return false, errWalk
	}
	return true, nil
}

// next reads the next member's name, valid until the next read; more is false after the last.
func (w *walker) next() (name []byte, more bool, err error) {
	if w.dec.PeekKind() == '}' {
		if _, err = w.dec.ReadToken(); err != nil {
			return nil, false, errWalk
		}
		return nil, false, nil
	}
	v, err := w.read()
	if err != nil {
		return nil, false, err
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], true, nil
	}
	if w.scratch, err = jsontext.AppendUnquote(w.scratch[:0], v); err != nil {
		return nil, false, errWalk
	}
	return w.scratch, true, nil
}

// number treats null as absent and marks all but whole numbers as bad.
func (w *walker) number(to *int64) error {
	v, err := w.read()
	if err != nil {
		return err
	}
	if v.Kind() == 'n' {
		return nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		w.bad = true
		return nil //nolint:nilerr // noted; the walk goes on, since the document may be worse
	}
	*to = n
	return nil
}

func (w *walker) text(to *string) error {
	v, err := w.read()
	if err != nil || v.Kind() != '"' {
		return err
	}
	if w.scratch, err = jsontext.AppendUnquote(w.scratch[:0], v); err != nil {
		return errWalk
	}
	*to = string(w.scratch)
	return nil
}

func (w *walker) truth(to *bool) error {
	v, err := w.read()
	*to = err == nil && v.Kind() == 't'
	return err
}

func (w *walker) skip() error {
	_, err := w.read()
	return err
}

func (w *walker) numberIn(member string, to *int64) error {
	isObject, err := w.enter()
	if err != nil || !isObject {
		return err
	}
	for {
		name, more, err := w.next()
		switch {
		case err != nil || !more:
			return err
		case string(name) == member:
			err = w.number(to)
		default:
			err = w.skip()
		}
		if err != nil {
			return err
		}
	}
}

func (w *walker) end() error {
	if _, err := w.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errWalk
	}
	return nil
}

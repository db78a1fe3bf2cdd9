package update

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mymmrac/telego"

	_ "github.com/chatlane/chatlane/internal/telegram/codec" // for telego
)

// ErrUndecodable means that an update does not fit the decoder, even without its optional parts. The text
// shows nothing of the update.
var ErrUndecodable = errors.New("update does not fit the decoder")

// Decode decodes an update that Peek has accepted. Optional parts that telego's types do not fit are left out
// and listed by path in dropped. Of a
// badly encoded text it decodes what can be read, see [Peek].
func Decode(body []byte) (u *telego.Update, dropped []string, err error) {
	if !jsontext.Value(body).IsValid() {
		if mended, ok := mend(body); ok {
			body = mended
		}
	}
	whole, err := decode(body)
	if err == nil {
		return whole, nil, nil
	}
	for _, deepest := range [...]int{MaxDepth, 1} { // as finely as possible, or coarsely if that takes too many tries
		m := sanitizer{tries: maxTries, deepest: deepest}
		sanitized, ok := m.object("", body, 0, func(b []byte) bool { _, err := decode(b); return err == nil })
		if ok && m.tries > 0 {
			if u, derr := decode(sanitized); derr == nil {
				return u, m.dropped, nil
			}
		}
	}
	return nil, nil, err
}

// decode turns a panic of telego's decoding into an error.
func decode(body []byte) (u *telego.Update, err error) {
	defer func() {
		if recover() != nil {
			u, err = nil, fmt.Errorf("%w: it panics", ErrUndecodable)
		}
	}()
	u = &telego.Update{}
	err = json.Unmarshal(body, u)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, fmt.Errorf("%w: no %v in %s", ErrUndecodable, wrong.Type, wrong.Field)
	}
	if err != nil {
		return nil, ErrUndecodable
	}
	return u, nil
}

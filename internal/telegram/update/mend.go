package update

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// mend rewrites a document that is badly encoded, or has a name twice in one object: each
// bad byte and lone surrogate becomes U+FFFD, and of equal names the last one counts, as in
// most decoders. It is for reading alone: what is stored and forwarded is what arrived. Ok
// is false where the document is no JSON even so. The document is at most MaxDepth deep.
func mend(body []byte) (mended []byte, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	mended, err := mendValue(make([]byte, 0, len(body)+64), dec)
	if err != nil {
		return nil, false
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, false // something follows the document
	}
	return mended, jsontext.Value(mended).IsValid()
}

func mendValue(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	t, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '"':
		return jsontext.AppendQuote(out, t.String())
	case '{':
		return mendObject(out, dec)
	case '[':
		return mendArray(out, dec)
	default:
		return append(out, t.String()...), nil
	}
}

func mendObject(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	var members []memberOf
	places := map[string]int{}
	for dec.PeekKind() != '}' {
		name, err := mendValue(nil, dec)
		if err != nil {
			return nil, err
		}
		v, err := mendValue(nil, dec)
		if err != nil {
			return nil, err
		}
		if i, twice := places[string(name)]; twice {
			members[i].v = v
			continue
		}
		places[string(name)] = len(members)
		members = append(members, memberOf{string(name), v})
	}
	_, err := dec.ReadToken()
	return append(out, objectOf(members)...), err
}

func mendArray(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	var elements []jsontext.Value
	for dec.PeekKind() != ']' {
		v, err := mendValue(nil, dec)
		if err != nil {
			return nil, err
		}
		elements = append(elements, v)
	}
	_, err := dec.ReadToken()
	return append(out, arrayOf(elements)...), err
}

package update

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const maxTries = 256

// sanitizer rebuilds each object from its essential members. A further member stays if the document still
// decodes; else it is sanitized itself; else it is dropped.
type sanitizer struct {
	tries   int // left
	deepest int // deepest level that is sanitized within; the update is level 0
	dropped []string
}

type attempt func(doc []byte) bool

type memberOf struct {
	name string // in quotes, as it stands
	v    jsontext.Value
}

func (m *sanitizer) try(fits attempt, doc []byte) bool {
	if m.tries--; m.tries <= 0 {
		return false
	}
	return fits(doc)
}

func (m *sanitizer) object(path string, doc []byte, level int, fits attempt) ([]byte, bool) {
	members, ok := membersOf(doc)
	if !ok || level > m.deepest {
		return nil, false
	}
	kept := make([]memberOf, 0, len(members))
	var rest []memberOf
	for _, x := range members {
		switch {
		case isEssential(x):
			kept = append(kept, x)
			continue
		case x.v.Kind() == '[': // some decoders require the list, but take an empty one
			kept = append(kept, memberOf{x.name, jsontext.Value("[]")})
		}
		rest = append(rest, x)
	}
	if !m.try(fits, objectOf(kept)) {
		return nil, false
	}
	for _, x := range rest {
		at := path + x.label(path)
		if with := put(kept, x); m.try(fits, objectOf(with)) {
			kept = with
			continue
		}
		inner, ok := m.value(at, x.v, level+1, func(v []byte) bool { return fits(objectOf(put(kept, memberOf{x.name, v}))) })
		switch {
		case ok:
			kept = put(kept, memberOf{x.name, inner})
		case level == 0:
			return nil, false // no update without its payload
		default:
			m.dropped = append(m.dropped, at)
		}
	}
	return objectOf(kept), true
}

func put(members []memberOf, x memberOf) []memberOf {
	all := slices.Clone(members)
	if i := slices.IndexFunc(all, func(m memberOf) bool { return m.name == x.name }); i >= 0 {
		all[i] = x
		return all
	}
	return append(all, x)
}

func (m *sanitizer) array(path string, doc []byte, level int, fits attempt) ([]byte, bool) {
	if level > m.deepest || !m.try(fits, []byte("[]")) {
		return nil, false
	}
	var kept []jsontext.Value
	for i, v := range elementsOf(doc) {
		if m.try(fits, arrayOf(append(kept, v))) {
			kept = append(kept, v)
			continue
		}
		at := path + "[" + strconv.Itoa(i) + "]"
		inner, ok := m.value(at, v, level+1, func(v []byte) bool { return fits(arrayOf(append(kept, v))) })
		if ok {
			kept = append(kept, inner)
		} else {
			m.dropped = append(m.dropped, at)
		}
	}
	return arrayOf(kept), true
}

// value sanitizes within a value, and takes back what it dropped there if that does not help.
func (m *sanitizer) value(path string, v jsontext.Value, level int, fits attempt) (out []byte, ok bool) {
	before := len(m.dropped)
	switch v.Kind() {
	case '{':
		out, ok = m.object(path, v, level, fits)
	case '[':
		out, ok = m.array(path, v, level, fits)
	default: // nothing to leave out of it
	}
	if !ok {
		m.dropped = m.dropped[:before]
	}
	return out, ok
}

// isEssential names what an object needs: whom and what it is about, and what tells its variants apart.
func isEssential(x memberOf) bool {
	switch x.label("") {
	case "update_id", "message_id", "id", "date", "chat", "from", "user", "boost", "old_chat_member", "new_chat_member", "type", "status", "source":
		return true
	}
	return false
}

func (x memberOf) label(path string) string {
	name := x.name[1 : len(x.name)-1]
	if path == "" {
		return name
	}
	return "." + name
}

func membersOf(doc []byte) (all []memberOf, ok bool) {
	w := borrowWalker(doc)
	defer w.giveBack()
	if isObject, err := w.enter(); err != nil || !isObject {
		return nil, false
	}
	for w.dec.PeekKind() != '}' {
		name, err := w.read()
		if err != nil {
			return nil, false
		}
		x := memberOf{name: string(name)}
		if x.v, err = w.read(); err != nil {
			return nil, false
		}
		x.v = slices.Clone(x.v)
		all = append(all, x)
	}
	return all, true
}

func elementsOf(doc []byte) (all []jsontext.Value) {
	w := borrowWalker(doc)
	defer w.giveBack()
	if _, err := w.dec.ReadToken(); err != nil {
		return nil
	}
	for w.dec.PeekKind() != ']' {
		v, err := w.read()
		if err != nil {
			return nil
		}
		all = append(all, slices.Clone(v))
	}
	return all
}

func objectOf(members []memberOf) []byte {
	b := []byte{'{'}
	for i, x := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, x.name...)
		b = append(b, ':')
		b = append(b, x.v...)
	}
	return append(b, '}')
}

func arrayOf(elements []jsontext.Value) []byte {
	b := []byte{'['}
	for i, v := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

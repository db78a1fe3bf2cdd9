package bot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

// ErrCallbackData means that a button's data has another shape, or is too long.
var ErrCallbackData = errors.New("callback data does not fit")

// CallbackData packs a struct into the data of an inline button and back: "prefix:field:field". Fields are
// exported integers, bools and strings. A string has a tag with its longest length in bytes, `max:"20"`, in
// which ':' and '~' count twice. Safe for concurrent use.
type CallbackData[T any] struct {
	prefix string
	fields []packed
}

type packed struct {
	index int
	kind  reflect.Kind
	bits  int
	max   int // bytes
}

// NewCallbackData makes the codec of a struct. It panics unless every value of T fits into 64 bytes.
func NewCallbackData[T any](prefix string) *CallbackData[T] {
	c := &CallbackData[T]{prefix: prefix}
	typ := reflect.TypeFor[T]()
	if prefix == "" || strings.ContainsAny(prefix, ":~") || typ.Kind() != reflect.Struct {
		panic(fmt.Sprintf("bot: callback data %q of %v: want a prefix without ':' and a struct", prefix, typ))
	}
	size := len(prefix)
	for i := range typ.NumField() {
		f, err := packedField(typ.Field(i))
		if err != nil {
			panic(fmt.Sprintf("bot: callback data %q: %v", prefix, err))
		}
		f.index = i
		size += 1 + f.max
		c.fields = append(c.fields, f)
	}
	if size > rules.MaxCallbackData {
		panic(fmt.Sprintf("bot: callback data %q of %v takes up to %d bytes, want at most %d", prefix, typ, size, rules.MaxCallbackData))
	}
	return c
}

func packedField(f reflect.StructField) (packed, error) {
	p := packed{kind: f.Type.Kind()}
	if !f.IsExported() {
		return p, fmt.Errorf("field %s is not exported", f.Name)
	}
	switch p.kind {
	case reflect.Bool:
		p.max = 1
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.bits = f.Type.Bits()
		p.max = len(strconv.FormatInt(math.MinInt64>>(64-p.bits), 36))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.bits = f.Type.Bits()
		p.max = len(strconv.FormatUint(math.MaxUint64>>(64-p.bits), 36))
	case reflect.String:
		n, err := strconv.Atoi(f.Tag.Get("max"))
		if err != nil || n < 1 {
			return p, fmt.Errorf(`field %s wants a tag such as max:"20"`, f.Name)
		}
		p.max = n
	default:
		return p, fmt.Errorf("field %s is a %v: want an integer, a bool or a string", f.Name, f.Type)
	}
	return p, nil
}

// Pack writes v. It fails with ErrCallbackData if a string is longer than its tag says.
func (c *CallbackData[T]) Pack(v T) (string, error) {
	b := append(make([]byte, 0, rules.MaxCallbackData), c.prefix...)
	fields := reflect.ValueOf(v)
	for _, f := range c.fields {
		b = append(b, ':')
		start, field := len(b), fields.Field(f.index)
		switch {
		case f.kind == reflect.Bool && field.Bool():
			b = append(b, '1')
		case f.kind == reflect.Bool:
			b = append(b, '0')
		case f.kind == reflect.String:
			b = append(b, escapeData(field.String())...)
		case field.CanInt():
			b = strconv.AppendInt(b, field.Int(), 36)
		default:
			b = strconv.AppendUint(b, field.Uint(), 36)
		}
		if len(b)-start > f.max {
			return "", fmt.Errorf("pack %q: field %d takes %d bytes of %d: %w", c.prefix, f.index, len(b)-start, f.max, ErrCallbackData)
		}
	}
	return string(b), nil
}

// Unpack reads what Pack wrote. Anything else fails with ErrCallbackData.
func (c *CallbackData[T]) Unpack(data string) (T, error) {
	var v T
	parts := strings.Split(data, ":")
	if parts[0] != c.prefix || len(parts) != 1+len(c.fields) {
		return v, fmt.Errorf("unpack %q: %w", c.prefix, ErrCallbackData)
	}
	fields := reflect.ValueOf(&v).Elem()
	for i, f := range c.fields {
		if !f.read(fields.Field(f.index), parts[i+1]) {
			var none T
			return none, fmt.Errorf("unpack %q: field %d: %w", c.prefix, f.index, ErrCallbackData)
		}
	}
	return v, nil
}

// read takes only what Pack would write, so that data has one form.
func (f packed) read(to reflect.Value, text string) bool {
	switch {
	case f.kind == reflect.Bool:
		to.SetBool(text == "1")
		return text == "0" || text == "1"
	case f.kind == reflect.String:
		s, ok := unescapeData(text)
		to.SetString(s)
		return ok && len(text) <= f.max
	case to.CanInt():
		n, err := strconv.ParseInt(text, 36, f.bits)
		to.SetInt(n)
		return err == nil && strconv.FormatInt(n, 36) == text
	default:
		n, err := strconv.ParseUint(text, 36, f.bits)
		to.SetUint(n)
		return err == nil && strconv.FormatUint(n, 36) == text
	}
}

func escapeData(s string) string {
	return strings.NewReplacer("~", "~~", ":", "~.").Replace(s)
}

func unescapeData(s string) (string, bool) {
	if !strings.Contains(s, "~") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '~' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case i == len(s):
			return "", false
		case s[i] == '~':
			b.WriteByte('~')
		case s[i] == '.':
			b.WriteByte(':')
		default:
			return "", false
		}
	}
	return b.String(), true
}

// Button is an inline button that carries v. It panics if a string of v is longer than its tag says.
func (c *CallbackData[T]) Button(text string, v T) telego.InlineKeyboardButton {
	data, err := c.Pack(v)
	if err != nil {
		panic(err)
	}
	return Button(text, data)
}

// Filter passes pressed buttons that carry a T for which all rules hold, and puts the T for [Get].
func (c *CallbackData[T]) Filter(rules ...func(v T) bool) Filter {
	return Func(func(_ context.Context, t *Turn) (bool, error) {
		q := t.Query()
		if q == nil || !strings.HasPrefix(q.Data, c.prefix) {
			return false, nil
		}
		v, err := c.Unpack(q.Data)
		if err != nil {
			return false, nil //nolint:nilerr // another codec's data, or a button older than this one
		}
		for _, rule := range rules {
			if !rule(v) {
				return false, nil
			}
		}
		Put(t, v)
		return true, nil
	}).Named(c.prefix)
}

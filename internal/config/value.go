package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

type input struct {
	items []string // one, or those of a YAML list
	from  string   // "--listen", "chatlane.yaml:3"; empty for the environment
}

func (in input) text() string { return strings.Join(in.items, ",") }

func (in input) where() string {
	if in.from == "" {
		return ""
	}
	return " (" + in.from + ")"
}

// mapper wraps kong's for the type. It notes a wrong value and reports success, so that kong goes on.
type mapper struct {
	inner kong.Mapper
	s     *setting
	l     *loader
}

// IsBool makes --name alone mean true.
func (m *mapper) IsBool() bool { return m.s.flag.Target.Kind() == reflect.Bool }

// Decode never fails: problems are noted.
func (m *mapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	in, ok := m.input(ctx.Scan)
	if !ok {
		m.l.problem(m.s.name, "--%s: a value must follow", m.s.flag.Name)
		return nil
	}
	if err := m.s.assign(m.inner, ctx, in, target); err != nil {
		m.l.problem(m.s.name, "%s%s: %v", m.s.name, in.where(), err)
	}
	return nil
}

// input takes the next value from the command line or, as a whole, from a resolver.
func (m *mapper) input(scan *kong.Scanner) (input, bool) {
	token := scan.Peek()
	if m.IsBool() && token.Type != kong.FlagValueToken {
		return input{items: []string{"true"}}, true
	}
	if token.IsEOL() {
		return input{}, false
	}
	switch value := scan.Pop().Value.(type) {
	case input:
		return value, true
	case bool: // of kong's own negation
		return input{items: []string{strconv.FormatBool(value)}}, true
	default:
		return input{items: []string{fmt.Sprint(value)}, from: "--" + m.s.flag.Name}, true
	}
}

func (s *setting) inner(of kong.Mapper) kong.Mapper {
	switch t := s.flag.Target; {
	case t.Kind() == reflect.Slice && t.Type().Elem().Kind() == reflect.String:
		return kong.MapperFunc(decodeList)
	case s.bytes:
		return kong.MapperFunc(decodeSize)
	}
	return of
}

// decodeList trims white space, which kong would keep.
func decodeList(ctx *kong.DecodeContext, target reflect.Value) error {
	for item := range strings.SplitSeq(ctx.Scan.Pop().String(), ",") {
		if item = strings.TrimSpace(item); item != "" {
			target.Set(reflect.Append(target, reflect.ValueOf(item).Convert(target.Type().Elem())))
		}
	}
	return nil
}

func decodeSize(ctx *kong.DecodeContext, target reflect.Value) error {
	n, err := parseSize(ctx.Scan.Pop().String())
	target.SetInt(n)
	return err
}

func (s *setting) assign(by kong.Mapper, ctx *kong.DecodeContext, in input, target reflect.Value) error {
	if len(in.items) > 1 && !s.isList() {
		return fmt.Errorf("a list of %d values is set; give one", len(in.items))
	}
	text := strings.TrimSpace(in.text())
	value := text
	if target.Kind() == reflect.Bool {
		value = asBool(text)
	}
	scan := kong.ScanAsType(kong.FlagValueToken, value)
	if err := by.Decode(ctx.WithScanner(scan), target); err != nil {
		target.SetZero()
		return s.wording(text, target, err)
	}
	if s.least != 0 && target.Int() < s.least {
		return s.wrong(text, fmt.Sprintf("less than %d", s.least), "10")
	}
	if s.limit && target.Int() == 0 {
		target.SetInt(NoLimit)
	}
	return nil
}

// asBool adds YAML's on and off to kong's words.
func asBool(text string) string {
	switch strings.ToLower(text) {
	case "on":
		return "true"
	case "off":
		return "false"
	}
	return text
}

// wording replaces kong's text, which shows the value and no right one.
func (s *setting) wording(text string, target reflect.Value, err error) error {
	_, own := reflect.TypeAssert[encoding.TextUnmarshaler](target.Addr())
	switch {
	case own && s.secret:
		return s.wrong(text, "not of the right form", "the documentation says")
	case own:
		return fmt.Errorf("%s: %w", s.quote(text), err)
	case s.bytes:
		return s.wrong(text, "no size", "64KiB, 1MiB or a number of bytes")
	case target.Type() == reflect.TypeFor[time.Duration]():
		return s.wrong(text, "no duration", "2s, 500ms or 1m30s")
	case target.Kind() == reflect.Bool:
		return s.wrong(text, "neither true nor false", "true or false")
	case target.CanFloat():
		return s.wrong(text, "no number", "0.5")
	}
	return s.wrong(text, "no whole number", "10")
}

func (s *setting) wrong(text, what, example string) error {
	if s.flag.Default != "" && !s.secret {
		example = s.flag.Default
	}
	return fmt.Errorf("%s is %s; set it like %s", s.quote(text), what, example)
}

func (s *setting) quote(text string) string {
	if s.secret {
		return "the value"
	}
	return strconv.Quote(text)
}

func (s *setting) checkDefault() error {
	if s.flag.Default == "" {
		return nil
	}
	m, ok := s.flag.Mapper.(*mapper)
	if !ok {
		return errors.New("no mapper")
	}
	scratch := reflect.New(s.flag.Target.Type()).Elem()
	err := s.assign(m.inner, &kong.DecodeContext{Value: s.flag.Value}, input{items: []string{s.flag.Default}}, scratch)
	if err != nil {
		return fmt.Errorf("default of %s: %w", s.name, err)
	}
	return nil
}

// units are largest first, so that the longest suffix that fits is found.
func units() []struct {
	suffix string
	bytes  int64
} {
	return []struct {
		suffix string
		bytes  int64
	}{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"KB", 1e3},
		{"B", 1},
	}
}

func parseSize(text string) (int64, error) {
	number, factor := text, int64(1)
	for _, u := range units() {
		if rest, ok := cutSuffixFold(text, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("size: %w", err)
	}
	bytes := f * float64(factor)
	if math.IsNaN(bytes) || bytes < 0 || bytes >= math.MaxInt64 {
		return 0, fmt.Errorf("size: %q is out of range", text)
	}
	return int64(bytes), nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

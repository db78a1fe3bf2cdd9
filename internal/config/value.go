package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// input is a value as a source gave it.
type input struct {
	items []string // one, or those of a YAML list or repeated flag
	from  string   // "--listen", "chatlane.yaml:3"; empty for the environment
}

func (in input) text() string { return strings.Join(in.items, ",") }

// where tells the reader which source to mend.
func (in input) where() string {
	if in.from == "" {
		return ""
	}
	return " (" + in.from + ")"
}

// assign parses in into v. Its errors say what would be right.
func (s *setting) assign(v reflect.Value, in input) error {
	if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok || v.Kind() != reflect.Slice {
		if len(in.items) > 1 {
			return fmt.Errorf("a list of %d values is set; give one", len(in.items))
		}
		return s.assignOne(v, strings.TrimSpace(in.text()))
	}
	list := reflect.MakeSlice(v.Type(), 0, len(in.items))
	for item := range strings.SplitSeq(in.text(), ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := s.assignOne(elem, item); err != nil {
			return err
		}
		list = reflect.Append(list, elem)
	}
	v.Set(list)
	return nil
}

func (s *setting) assignOne(v reflect.Value, text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		err := u.UnmarshalText([]byte(text))
		switch {
		case err == nil:
			return nil
		case s.secret:
			return s.wrong(text, "not of the right form", "the documentation says")
		}
		return fmt.Errorf("%s: %w", s.quote(text), err)
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
		return nil
	case v.Kind() == reflect.Bool:
		return s.assignBool(v, text)
	case v.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil {
			return s.wrong(text, "no duration", "2s, 500ms or 1m30s")
		}
		v.SetInt(int64(d))
		return nil
	case v.CanInt():
		return s.assignInt(v, text)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return s.wrong(text, "no number", "0.5")
		}
		v.SetFloat(f)
		return nil
	}
	panic(fmt.Sprintf("config: %s: a field of type %s cannot be set", s.name, v.Type()))
}

func (s *setting) assignBool(v reflect.Value, text string) error {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		v.SetBool(true)
	case "false", "0", "no", "off":
		v.SetBool(false)
	default:
		return s.wrong(text, "neither true nor false", "true or false")
	}
	return nil
}

func (s *setting) assignInt(v reflect.Value, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if s.bytes {
		if n, err = parseSize(text); err != nil {
			return s.wrong(text, "no size", "64KiB, 1MiB or a number of bytes")
		}
	}
	if err != nil || v.OverflowInt(n) {
		return s.wrong(text, "no whole number", "10")
	}
	if s.least != 0 && n < s.least {
		return s.wrong(text, fmt.Sprintf("less than %d", s.least), "10")
	}
	if s.limit && n == 0 {
		n = NoLimit
	}
	v.SetInt(n)
	return nil
}

// wrong says what is wrong with the text, and what would be right: the default, or
// an example.
func (s *setting) wrong(text, what, example string) error {
	if s.def != "" && !s.secret {
		example = s.def
	}
	return fmt.Errorf("%s is %s; set it like %s", s.quote(text), what, example)
}

// quote shows a wrong value, unless it is secret.
func (s *setting) quote(text string) string {
	if s.secret {
		return "the value"
	}
	return strconv.Quote(text)
}

// format is the value of the setting as text, for the help.
func (s *setting) format() string {
	v := s.targets[0]
	switch {
	case s.secret:
		return redacted
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return strings.Join(items, ",")
	case s.bytes:
		return formatSize(v.Int())
	}
	return fmt.Sprint(v.Interface())
}

// units of sizes, largest first, so that the longest suffix that fits is found.
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

// parseSize reads a size in bytes: 512, 64KiB, 1.5GB.
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

func formatSize(n int64) string {
	for _, u := range units() {
		if n >= u.bytes && n%u.bytes == 0 && u.bytes > 1 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

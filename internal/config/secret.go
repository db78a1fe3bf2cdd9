package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

const redacted = "[redacted]"

// Secret is a text that shows itself nowhere: fmt, slog, JSON and YAML get
// "[redacted]", or nothing where it is empty. Mind that fmt does not ask a value
// in an unexported field.
type Secret string

// Reveal is the text itself.
func (s Secret) Reveal() string { return string(s) }

// String is the redacted form.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format writes the redacted form, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is the redacted form.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText writes the redacted form.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func isSecret(t reflect.Type) bool {
	secret := reflect.TypeFor[Secret]()
	return t == secret || t.Kind() == reflect.Slice && t.Elem() == secret
}

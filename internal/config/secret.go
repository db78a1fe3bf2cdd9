package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
)

const redacted = "[redacted]"

// Secret is a text that fmt, slog, JSON and YAML show as "[redacted]", or as nothing where it is empty. But
// fmt does not ask a value in an unexported field.
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

// MarshalText is the redacted form.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func isSecret(t reflect.Type) bool {
	secret := reflect.TypeFor[Secret]()
	return t == secret || t.Kind() == reflect.Slice && t.Elem() == secret
}

// readSecret turns white space between a file's words into commas.
func readSecret(path string) (string, error) {
	text, err := readFile(path)
	if err != nil {
		return "", err
	}
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return strings.Join(strings.Fields(trimmed), ","), nil
}

const maxFile = 1 << 20

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, plain(err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	return text, plain(err)
}

// plain words the errors of files: path first, no system call.
func plain(err error) error {
	if at, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", at.Path, at.Err)
	}
	return err
}

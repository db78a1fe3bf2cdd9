package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
)

// setting is one name and the fields that take its value.
type setting struct {
	name    string // CHATLANE_NATS_URL
	flag    string // a shorter flag than that of the name; empty: none
	def     string
	help    string
	secret  bool
	bytes   bool
	limit   bool  // 0 stands for NoLimit
	least   int64 // of a whole number that is set; 0: any
	targets []reflect.Value
}

// keyOf is a variable's name in the YAML file: nats_url. With dashes it is the flag.
func keyOf(name string) string {
	return strings.ToLower(strings.TrimPrefix(name, Prefix))
}

// names are those that a source may use for the setting.
func (s *setting) names() []string {
	if s.secret {
		return []string{s.name, s.name + "_FILE"}
	}
	return []string{s.name}
}

// isBool says whether the setting's flag stands without a value.
func (s *setting) isBool() bool { return s.targets[0].Kind() == reflect.Bool }

// isList says whether the setting's flag may be repeated.
func (s *setting) isList() bool { return s.targets[0].Kind() == reflect.Slice }

// pick takes the setting's value from a source, reading the file of a secret.
func (s *setting) pick(src source) (in input, ok bool, err error) {
	in, ok = src.values[s.name]
	if !s.secret {
		return in, ok, nil
	}
	byFile, named := src.values[s.name+"_FILE"]
	switch {
	case !named:
		return in, ok, nil
	case ok:
		return in, true, fmt.Errorf("%s_FILE is set too; set one of them", s.name)
	}
	text, err := readSecret(byFile.text())
	if err != nil {
		if !strings.ContainsRune(byFile.text(), os.PathSeparator) { // it may be the secret itself, by mistake
			err = errors.New("it cannot be read; set a path, such as ./secret")
		}
		return byFile, true, fmt.Errorf("its file: %w", err)
	}
	return input{items: []string{text}, from: byFile.from}, true, nil
}

// readSecret reads what a file holds, without the white space around it.
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

// maxFile is the largest file that is read, in bytes.
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

// collect finds the settings of the structs, in order of their fields.
func collect(into []any) []*setting {
	found := map[string]*setting{}
	var all []*setting
	for _, v := range into {
		each(structOf(v), func(f reflect.StructField, v reflect.Value) {
			s := newSetting(f, v)
			first, again := found[s.name]
			if !again {
				found[s.name] = s
				all = append(all, s)
				return
			}
			if first.def != s.def || first.targets[0].Type() != v.Type() {
				panic(fmt.Sprintf("config: two fields with different types or defaults for %s", s.name))
			}
			first.secret = first.secret || s.secret
			first.targets = append(first.targets, v)
		}, nil)
	}
	return all
}

func structOf(v any) reflect.Value {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: %T is no pointer to a struct", v))
	}
	return p.Elem()
}

// each visits the tagged fields of v in order, and every struct after its fields.
func each(v reflect.Value, onField func(reflect.StructField, reflect.Value), onStruct func(reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case !f.IsExported():
		case f.Tag.Get("env") != "":
			if onField != nil {
				onField(f, v.Field(i))
			}
		case f.Type.Kind() == reflect.Struct:
			each(v.Field(i), onField, onStruct)
		}
	}
	if onStruct != nil {
		onStruct(v)
	}
}

// hooks lists the structs that implement T, inner ones first.
func hooks[T any](into []any) []T {
	var all []T
	for _, v := range into {
		each(structOf(v), nil, func(v reflect.Value) {
			if h, ok := reflect.TypeAssert[T](v.Addr()); ok {
				all = append(all, h)
			}
		})
	}
	return all
}

// newSetting reads a field's tags and gives the field its default.
func newSetting(f reflect.StructField, v reflect.Value) *setting {
	s := &setting{
		name:    f.Tag.Get("env"),
		flag:    f.Tag.Get("flag"),
		def:     f.Tag.Get("default"),
		help:    f.Tag.Get("help"),
		secret:  f.Tag.Get("secret") == "true" || isSecret(f.Type),
		bytes:   f.Tag.Get("unit") == "bytes",
		limit:   f.Tag.Get("unit") == "limit",
		targets: []reflect.Value{v},
	}
	if text := f.Tag.Get("min"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("config: min of %s: %v", s.name, err))
		}
		s.least = n
	}
	switch {
	case !v.IsZero():
		s.def = s.format()
	case s.def != "":
		if err := s.set(input{items: []string{s.def}}); err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", s.name, err))
		}
	}
	return s
}

// set gives every field of the setting the value. It sets none if one is wrong.
func (s *setting) set(in input) error {
	for _, v := range s.targets {
		if err := s.assign(v, in); err != nil {
			return err
		}
	}
	return nil
}

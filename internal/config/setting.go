package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

type setting struct {
	name   string // CHATLANE_NATS_URL
	flag   *kong.Flag
	path   *kong.Flag // --nats-url-file, of a secret
	secret bool
	bytes  bool
	limit  bool  // 0 stands for NoLimit
	least  int64 // of a whole number that is set; 0: any
}

// keyOf is a variable's name in the YAML file: nats_url.
func keyOf(name string) string {
	return strings.ToLower(strings.TrimPrefix(name, Prefix))
}

func flagOf(name string) string { return strings.ReplaceAll(keyOf(name), "_", "-") }

// adopt names kong's flags after their variables, takes the environment out of kong's hands, and has wrong
// values noted.
func (l *loader) adopt(k *kong.Kong) error {
	return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
		if node, ok := v.(*kong.Node); ok {
			for _, flag := range node.Flags {
				if err := l.adoptFlag(node, flag); err != nil {
					return err
				}
			}
		}
		if app, ok := v.(*kong.Application); ok { // kong visits the node of the application as the application
			for _, flag := range app.Flags {
				if err := l.adoptFlag(app.Node, flag); err != nil {
					return err
				}
			}
		}
		return next(nil)
	})
}

func (l *loader) adoptFlag(node *kong.Node, flag *kong.Flag) error {
	if len(flag.Envs) == 0 || l.settings[flag.Value] != nil {
		return nil
	}
	tag := flag.Tag
	s := &setting{
		name: flag.Envs[0], flag: flag,
		secret: tag.Get("secret") == "true" || isSecret(flag.Target.Type()),
		bytes:  tag.Get("unit") == "bytes",
		limit:  tag.Get("unit") == "limit",
	}
	if text := tag.Get("min"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("min of %s: %w", s.name, err)
		}
		s.least = n
	}
	if tag.Name == "" {
		flag.Name = flagOf(s.name)
	} else if flag.Name != flagOf(s.name) {
		flag.Aliases = append(flag.Aliases, flagOf(s.name))
	}
	flag.Envs, tag.Envs = nil, nil
	flag.Mapper = &mapper{inner: s.inner(flag.Mapper), s: s, l: l}
	l.all = append(l.all, s)
	l.settings[flag.Value] = s
	if s.secret {
		s.path = fileFlag(flag)
		node.Flags = append(node.Flags, s.path)
	}
	return s.checkDefault()
}

func fileFlag(of *kong.Flag) *kong.Flag {
	path := new(string)
	value := &kong.Value{
		Name: of.Name + "-file", Tag: &kong.Tag{}, Target: reflect.ValueOf(path).Elem(),
		Mapper: kong.NewRegistry().RegisterDefaults().ForValue(reflect.ValueOf(path).Elem()),
	}
	flag := &kong.Flag{Value: value, Hidden: true}
	value.Flag = flag
	return flag
}

func (s *setting) names() []string {
	if s.secret {
		return []string{s.name, s.name + "_FILE"}
	}
	return []string{s.name}
}

func (s *setting) isList() bool { return s.flag.Target.Kind() == reflect.Slice }

func (s *setting) pick(source map[string]input) (in input, ok bool, err error) {
	in, ok = source[s.name]
	byFile, named := source[s.name+"_FILE"]
	switch {
	case !named:
		return in, ok, nil
	case ok:
		return in, true, fmt.Errorf("%s_FILE is set too; set one of them", s.name)
	}
	in, err = byFile.read()
	return in, true, err
}

func (in input) read() (input, error) {
	text, err := readSecret(in.text())
	if err == nil {
		return input{items: []string{text}, from: in.from}, nil
	}
	if !strings.ContainsRune(in.text(), os.PathSeparator) { // it may be the secret itself
		err = errors.New("it cannot be read; set a path, such as ./secret")
	}
	return in, fmt.Errorf("its file: %w", err)
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (l *loader) readFile(path string) map[string]input {
	values := map[string]input{}
	if path == "" {
		return values
	}
	text, err := readFile(path)
	if err == nil {
		err = l.readYAML(text, filepath.Base(path), values)
	}
	if err != nil {
		l.problem(fileName, "%s: %v; name a YAML file of settings", fileName, err)
	}
	return values
}

func (l *loader) readYAML(text []byte, file string, values map[string]input) error {
	root, err := parseYAML(text)
	if err != nil || root == nil {
		return err
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: found no mapping of names to values", file, root.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		at := fmt.Sprintf("%s:%d", file, key.Line)
		name, s := l.byKey(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || keyOf(strings.ToUpper(key.Value)) == keyOf(fileName):
			l.problem("", "%s: such a key cannot be set here", at)
		case s == nil:
			l.unknownKey(at, key.Value)
		default:
			l.takeYAML(values, name, at, value)
		}
	}
	return nil
}

func (l *loader) takeYAML(values map[string]input, name, at string, value *yaml.Node) {
	items, err := scalars(value)
	_, twice := values[name]
	switch {
	case err != nil:
		l.problem(name, "%s (%s): %v", name, at, err)
	case twice:
		l.problem(name, "%s (%s): set twice in the file; set it once", name, at)
	case len(items) > 0:
		values[name] = input{items: items, from: at}
	}
}

// unknownKey reports only keys that are nearly a setting's: programs may share a file.
func (l *loader) unknownKey(at, key string) {
	if hint := l.suggest(key); hint != "" {
		l.problem("", "%s: %q: no such key; did you mean %s?", at, key, keyOf(hint))
	}
}

func parseYAML(text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil, nil //nolint:nilnil // an empty file is a file without settings
	case err != nil:
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("found more than one YAML document")
	}
	if root := doc.Content[0]; root.ShortTag() != "!!null" {
		return root, nil
	}
	return nil, nil //nolint:nilnil // as above
}

// scalars reads a value: none for null, one, or those of a list. Its errors show no value, which may be a secret.
func scalars(n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" || n.Value == "" {
			return nil, nil
		}
		return []string{n.Value}, nil
	case yaml.SequenceNode:
		var all []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, errors.New("holds a list of something else than values; give one value or a list of them")
			}
			all = append(all, item.Value)
		}
		return all, nil
	default:
		return nil, errors.New("holds a mapping; give one value or a list of them")
	}
}

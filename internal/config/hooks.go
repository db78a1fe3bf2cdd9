package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type resolver interface {
	Resolve(getenv func(name string) string) error
}

type validator interface {
	Validate() error
}

// hooks calls Resolve of each filled struct, inner ones first, then each Validate.
func (l *loader) hooks(ctx *kong.Context) (valid bool) {
	valid = true
	var structs []reflect.Value
	for _, path := range ctx.Path {
		if path.App != nil || path.Command != nil {
			structs = append(structs, nested(path.Node().Target)...)
		}
	}
	for _, v := range structs {
		if r, ok := reflect.TypeAssert[resolver](v.Addr()); ok {
			l.report(r.Resolve(l.getenv))
		}
	}
	for _, v := range structs {
		if c, ok := reflect.TypeAssert[validator](v.Addr()); ok {
			err := c.Validate()
			l.report(err)
			valid = valid && err == nil
		}
	}
	return valid
}

func nested(v reflect.Value) []reflect.Value {
	v = reflect.Indirect(v)
	var all []reflect.Value
	for i := range v.NumField() {
		if _, embedded := v.Type().Field(i).Tag.Lookup("embed"); embedded {
			all = append(all, nested(v.Field(i))...)
		}
	}
	return append(all, v)
}

// report skips lines about a variable whose value could not be read.
func (l *loader) report(err error) {
	for _, line := range Lines(err) {
		if !slices.ContainsFunc(l.bad, func(name string) bool { return mentions(line, name) }) {
			l.problem("", "%s", line)
		}
	}
}

// mentions does not count a longer variable that begins with name.
func mentions(line, name string) bool {
	_, after, found := strings.Cut(line, name)
	return found && (after == "" || !isNameByte(after[0]))
}

func isNameByte(b byte) bool {
	return b == '_' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrParts means that two parts of an upload share a name, so that one would be lost.
var ErrParts = errors.New("give each file of a call a name of its own")

// CheckParts refuses a form in which a file would replace another part: two files of one name, shown by a
// parameter that names it twice, or a file named like a parameter. files are the part names.
func CheckParts(fields map[string]string, files []string) error {
	named := map[string]int{}
	for name, value := range fields {
		if value != "" && slices.Contains(files, name) {
			return fmt.Errorf("file %q is called like a parameter: %w", name, ErrParts)
		}
		if attached, ok := strings.CutPrefix(value, attach); ok && !isText(name) {
			named[attached]++
			continue
		}
		var v any
		if strings.Contains(value, attach) && json.Unmarshal([]byte(value), &v) == nil {
			countAttached(v, named)
		}
	}
	for _, name := range files {
		if named[name] > 1 {
			return fmt.Errorf("%d files are called %q: %w", named[name], name, ErrParts)
		}
	}
	return nil
}

const attach = "attach://"

func countAttached(v any, named map[string]int) {
	switch v := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, attach); ok {
			named[name]++
		}
	case []any:
		for _, e := range v {
			countAttached(e, named)
		}
	case map[string]any:
		for key, e := range v {
			if !isText(key) {
				countAttached(e, named)
			}
		}
	}
}

func isText(name string) bool { return name == "text" || name == "caption" }

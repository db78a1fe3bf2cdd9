package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrParts means that two parts of an upload have one name, so that one would be lost.
var ErrParts = errors.New("give each file of a call a name of its own")

// CheckParts refuses a form in which a file would take another part's place: two files of
// one name, which a parameter shows by naming it twice, or a file that is called like a
// parameter. Files are the names of their parts.
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

// attach is how a parameter names a file of the same call.
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

// isText tells that a parameter or member is for people to read.
func isText(name string) bool { return name == "text" || name == "caption" }

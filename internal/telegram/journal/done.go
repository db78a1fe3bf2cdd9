package journal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Done is a call or a step of a dead letter as a person sees it. It has no text of a
// result: that may be what people wrote.
type Done struct {
	Method string    `json:",omitempty"` // of a call
	Step   string    `json:",omitempty"` // key of a step
	Urgent bool      `json:",omitempty"` // made by the urgent run
	Result string    // in short: "message 7", "true", "refused with 403: Forbidden"
	At     time.Time // when it was recorded
}

// Done lists what was done, in the order of the records of each run, the urgent one first.
func (k Kept) Done() []Done {
	return append(done(k.Urgent, true), done(k.Turn, false)...)
}

func done(entries map[int][]byte, urgent bool) []Done {
	var all []Done
	for _, index := range slices.Sorted(maps.Keys(entries)) {
		e, err := Decode(entries[index])
		if err != nil {
			all = append(all, Done{Urgent: urgent, Result: "entry is not readable by this version"})
			continue
		}
		one := Done{Method: e.Name, Urgent: urgent, At: e.At}
		if e.Step {
			one.Method, one.Step = "", e.Name
		}
		switch e.Status {
		case Void:
			continue
		case Intent:
			one.Result = "may have been sent"
		case Refused:
			one.Result = fmt.Sprintf("refused with %d: %s", e.Refusal.Code, e.Refusal.Description)
		case Result:
			one.Result = short(e.Result)
		}
		all = append(all, one)
	}
	return all
}

// short tells a result without its texts.
func short(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return "nothing"
	}
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case float64:
		return clipName(strings.TrimSpace(string(raw)))
	case []any:
		return shortList(v, len(raw))
	case map[string]any:
		if id, ok := v["message_id"].(float64); ok {
			return fmt.Sprintf("message %.0f", id)
		}
		return fmt.Sprintf("object of %d bytes", len(raw))
	}
	return fmt.Sprintf("text of %d bytes", len(raw))
}

func shortList(list []any, size int) string {
	ids := make([]string, 0, len(list))
	for _, one := range list {
		if m, ok := one.(map[string]any); ok {
			if id, ok := m["message_id"].(float64); ok {
				ids = append(ids, fmt.Sprintf("%.0f", id))
			}
		}
	}
	if len(ids) == 0 {
		return fmt.Sprintf("list of %d in %d bytes", len(list), size)
	}
	return "messages " + strings.Join(ids, ", ")
}

package bot

import (
	"context"
	"regexp"
	"slices"
)

// Filter decides whether a handler takes a turn. Make one with the functions that
// return it, compose with [And], [Or] and [Not], write your own with [Func].
type Filter struct {
	match func(ctx context.Context, t *Turn) (bool, error)

	label  string  // for graphs
	states []State // that it asks for, for graphs; nil: it does not ask
}

// Named is the same filter with a name for graphs.
func (f Filter) Named(label string) Filter {
	f.label = label
	return f
}

// Func is a filter made of a function. It may [Put] values for the handler.
func Func(match func(ctx context.Context, t *Turn) (bool, error)) Filter {
	return Filter{match: match}
}

// when is a filter that looks only at the update.
func when(label string, match func(t *Turn) bool) Filter {
	return Filter{label: label, match: func(_ context.Context, t *Turn) (bool, error) { return match(t), nil }}
}

// And passes if all filters do. Later ones see what earlier ones have put.
func And(filters ...Filter) Filter {
	all := Route{filters: filters}
	return Filter{match: all.matches, states: statesOf(filters), label: labelOf(filters)}
}

// Or passes if any filter does; those after it are not asked.
func Or(filters ...Filter) Filter {
	match := func(ctx context.Context, t *Turn) (bool, error) {
		values := len(t.values)
		for i := range filters {
			ok, err := filters[i].match(ctx, t)
			if ok || err != nil {
				return ok, err
			}
			t.values = t.values[:values]
		}
		return false, nil
	}
	return Filter{match: match, states: anyOf(filters), label: labelOf(filters)}
}

// Not passes if f does not. What f puts is gone.
func Not(f Filter) Filter {
	match := func(ctx context.Context, t *Turn) (bool, error) {
		values := len(t.values)
		ok, err := f.match(ctx, t)
		t.values = t.values[:values]
		return !ok && err == nil, err
	}
	return Filter{match: match}
}

func labelOf(filters []Filter) string {
	for _, f := range filters {
		if f.label != "" {
			return f.label
		}
	}
	return ""
}

// Text passes messages that are exactly one of these texts; without any, every
// message that has a text. Captions do not count.
func Text(texts ...string) Filter {
	label := "text"
	if len(texts) > 0 {
		label = texts[0]
	}
	return when(label, func(t *Turn) bool {
		m := t.message
		if m == nil || m.Text == "" || t.typ == CallbackQuery {
			return false
		}
		return len(texts) == 0 || slices.Contains(texts, m.Text)
	})
}

// match is what Regexp found.
type match []string

// Match is what the last [Regexp] of this handler found: the whole match, then its
// groups; nil without one.
func (t *Turn) Match() []string {
	found, _ := Get[match](t)
	return found
}

// Regexp passes messages whose text or caption matches; [Turn.Match] then has the
// groups. It panics on an expression that does not compile.
func Regexp(expr string) Filter {
	re := regexp.MustCompile(expr)
	return when(expr, func(t *Turn) bool {
		text := t.Text()
		if text == "" {
			return false
		}
		found := re.FindStringSubmatch(text)
		if found != nil {
			Put(t, match(found))
		}
		return found != nil
	})
}

// FromUser passes updates of these users.
func FromUser(ids ...int64) Filter {
	return when("", func(t *Turn) bool { return slices.Contains(ids, t.p.User) })
}

// InChat passes updates of these chats.
func InChat(ids ...int64) Filter {
	return when("", func(t *Turn) bool { return slices.Contains(ids, t.p.Chat) })
}

// Plain passes texts that are no /command: what somebody says, not what they order.
func Plain() Filter { return And(Text(), Not(Command())).Named("text") }

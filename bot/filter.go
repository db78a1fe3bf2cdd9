package bot

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/mymmrac/telego"
)

// Filter decides whether a handler takes a turn. [And], [Or] and [Not] compose filters, [Func] makes one of
// any function. The zero value is refused. Safe for concurrent use if its function is.
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

// Func is a filter made of a function, which may [Put] values for the handler. Its error fails the turn.
func Func(match func(ctx context.Context, t *Turn) (bool, error)) Filter {
	return Filter{match: match}
}

func when(label string, match func(t *Turn) bool) Filter {
	return Filter{label: label, match: func(_ context.Context, t *Turn) (bool, error) { return match(t), nil }}
}

// And passes if all filters do. Later ones see what earlier ones have put.
func And(filters ...Filter) Filter {
	all := Route{filters: filters}
	return Filter{match: all.matches, states: statesOf(filters), label: labelOf(filters)}
}

// Or passes if any filter does. Filters after that one do not run.
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

// Not passes if f does not. It drops the values that f puts.
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

// Text passes messages whose text is one of these; without any, every message with a text. Captions do not count.
func Text(texts ...string) Filter {
	label := "text"
	if len(texts) > 0 {
		label = texts[0]
	}
	return when(label, func(t *Turn) bool {
		m := t.Message()
		if m == nil || m.Text == "" || t.typ == CallbackQuery {
			return false
		}
		return len(texts) == 0 || slices.Contains(texts, m.Text)
	})
}

type match []string

// Match is this handler's last [Regexp] match: the whole, then its groups; nil without one.
func (t *Turn) Match() []string {
	found, _ := Get[match](t)
	return found
}

// Regexp passes messages whose text or caption matches; [Turn.Match] has the groups. It panics on an
// expression that does not compile.
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

// Plain passes messages with a text that is no /command.
func Plain() Filter { return And(Text(), Not(Command())).Named("text") }

// ChatType passes updates whose [Turn.Chat] is of these types: private, group, supergroup, channel. An update
// that names no chat, such as an inline query, counts as the user's private one. It panics on another word.
func ChatType(types ...string) Filter {
	for _, t := range types {
		switch t {
		case telego.ChatTypePrivate, telego.ChatTypeGroup, telego.ChatTypeSupergroup,
			telego.ChatTypeChannel:
		default:
			panic(fmt.Sprintf("bot: chat type %q: want private, group, supergroup or channel", t))
		}
	}
	return when("", func(t *Turn) bool { return slices.Contains(types, t.chatType()) })
}

// InPrivate passes updates of private chats.
func InPrivate() Filter { return ChatType(telego.ChatTypePrivate) }

// InGroup passes updates of groups and supergroups.
func InGroup() Filter { return ChatType(telego.ChatTypeGroup, telego.ChatTypeSupergroup) }

// ReplyTo passes messages that reply to a message of one of these users; without any, every reply.
func ReplyTo(users ...int64) Filter {
	return when("reply", func(t *Turn) bool {
		if t.Message() == nil || t.typ == CallbackQuery || t.Message().ReplyToMessage == nil {
			return false
		}
		from := t.Message().ReplyToMessage.From
		return len(users) == 0 || from != nil && slices.Contains(users, from.ID)
	})
}

// ReplyToBot passes messages that reply to a message of this bot.
func ReplyToBot() Filter {
	return when("reply to bot", func(t *Turn) bool {
		if t.Message() == nil || t.typ == CallbackQuery || t.Message().ReplyToMessage == nil {
			return false
		}
		from := t.Message().ReplyToMessage.From
		return from != nil && from.ID == t.p.Bot.ID
	})
}

// MediaGroup passes messages that belong to an album.
func MediaGroup() Filter {
	return when("album", func(t *Turn) bool {
		return t.Message() != nil && t.typ != CallbackQuery && t.Message().MediaGroupID != ""
	})
}

// Pressed passes inline buttons whose data is one of these; without any, every button. For data with fields
// see [CallbackData].
func Pressed(data ...string) Filter {
	label := "button"
	if len(data) > 0 {
		label = data[0]
	}
	return when(label, func(t *Turn) bool {
		q := t.Query()
		return q != nil && (len(data) == 0 || slices.Contains(data, q.Data))
	})
}

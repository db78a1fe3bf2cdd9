package bot

import (
	"fmt"
	"slices"

	"github.com/mymmrac/telego"
)

// ChatType passes updates of chats of these types: private, group, supergroup,
// channel. It panics on another word.
func ChatType(types ...string) Filter {
	for _, t := range types {
		switch t {
		case telego.ChatTypePrivate, telego.ChatTypeGroup, telego.ChatTypeSupergroup,
			telego.ChatTypeChannel, telego.ChatTypeSender:
		default:
			panic(fmt.Sprintf("bot: chat type %q: want private, group, supergroup, channel or sender", t))
		}
	}
	return when("", func(t *Turn) bool { return slices.Contains(types, t.chatType()) })
}

// InPrivate passes updates of private chats.
func InPrivate() Filter { return ChatType(telego.ChatTypePrivate) }

// InGroup passes updates of groups and supergroups.
func InGroup() Filter { return ChatType(telego.ChatTypeGroup, telego.ChatTypeSupergroup) }

// ReplyTo passes messages that reply to a message of one of these users; to any
// message, if none is named.
func ReplyTo(users ...int64) Filter {
	return when("reply", func(t *Turn) bool {
		if t.message == nil || t.typ == CallbackQuery || t.message.ReplyToMessage == nil {
			return false
		}
		from := t.message.ReplyToMessage.From
		return len(users) == 0 || from != nil && slices.Contains(users, from.ID)
	})
}

// ReplyToBot passes messages that reply to a message of this bot.
func ReplyToBot() Filter {
	return when("reply to bot", func(t *Turn) bool {
		if t.message == nil || t.typ == CallbackQuery || t.message.ReplyToMessage == nil {
			return false
		}
		from := t.message.ReplyToMessage.From
		return from != nil && from.ID == t.p.Bot.ID
	})
}

// MediaGroup passes messages that belong to an album.
func MediaGroup() Filter {
	return when("album", func(t *Turn) bool {
		return t.message != nil && t.typ != CallbackQuery && t.message.MediaGroupID != ""
	})
}

// Pressed passes inline buttons whose data is exactly one of these; without any,
// every button. For data with fields see [CallbackData].
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

package simulator

import (
	"encoding/json"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

// User is a person or a bot, as updates show them.
type User struct {
	ID        int64  `json:"id"`
	IsBot     bool   `json:"is_bot"`
	FirstName string `json:"first_name"`
	Username  string `json:"username,omitempty"`
	Language  string `json:"language_code,omitempty"`
}

// ChatInfo is a chat, as updates show it.
type ChatInfo struct {
	ID        int64  `json:"id"`
	Type      string `json:"type"`
	Title     string `json:"title,omitempty"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	IsForum   bool   `json:"is_forum,omitempty"`
}

// Message is a message in its present form.
type Message struct {
	ID              int64           `json:"message_id"`
	Thread          int64           `json:"message_thread_id,omitempty"`
	From            *User           `json:"from,omitempty"`
	SenderChat      *ChatInfo       `json:"sender_chat,omitempty"`
	Date            int64           `json:"date"`
	Chat            ChatInfo        `json:"chat"`
	IsTopic         bool            `json:"is_topic_message,omitempty"`
	EditDate        int64           `json:"edit_date,omitempty"`
	ReplyTo         *Message        `json:"reply_to_message,omitempty"`
	MediaGroup      string          `json:"media_group_id,omitempty"`
	Text            string          `json:"text,omitempty"`
	Entities        []Entity        `json:"entities,omitempty"`
	Photo           []File          `json:"photo,omitempty"`
	Document        *File           `json:"document,omitempty"`
	Caption         string          `json:"caption,omitempty"`
	CaptionEntities []Entity        `json:"caption_entities,omitempty"`
	Markup          json.RawMessage `json:"reply_markup,omitempty"`
	Joined          []User          `json:"new_chat_members,omitempty"`
	Left            *User           `json:"left_chat_member,omitempty"`
	MigrateTo       int64           `json:"migrate_to_chat_id,omitempty"`
	MigrateFrom     int64           `json:"migrate_from_chat_id,omitempty"`
}

// Entity is a marked part of a text, such as a command. Offset and Length count UTF-16 units.
type Entity struct {
	Type   string `json:"type"`
	Offset int    `json:"offset"`
	Length int    `json:"length"`
}

// File is a photo size or a document.
type File struct {
	ID       string `json:"file_id"`
	UniqueID string `json:"file_unique_id"`
	Name     string `json:"file_name,omitempty"`
	MIME     string `json:"mime_type,omitempty"`
	Width    int    `json:"width,omitempty"`
	Height   int    `json:"height,omitempty"`
	Size     int64  `json:"file_size,omitempty"`
}

// Button is a button of an inline keyboard.
type Button struct {
	Text string `json:"text"`
	Data string `json:"callback_data,omitempty"`
	URL  string `json:"url,omitempty"`
}

// Buttons are the message's inline keyboard, row by row.
func (m Message) Buttons() [][]Button {
	var k struct {
		Rows [][]Button `json:"inline_keyboard"`
	}
	if json.Unmarshal(m.Markup, &k) != nil {
		return nil
	}
	return k.Rows
}

func entitiesOf(text string) (out []Entity) {
	rules.Commands(text, func(start, end int) {
		out = append(out, Entity{"bot_command", rules.Length(text[:start]), rules.Length(text[start:end])})
	})
	return out
}

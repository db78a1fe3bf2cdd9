package bottest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mymmrac/telego"
)

// chat is the content of one chat.
type chat struct {
	id          int64
	info        telego.Chat
	messages    []*telego.Message
	events      []event // messages and edits of the bot, in order
	read        int     // how many of them Expect has read
	notices     []notice
	noticesRead int
	keyboard    [][]telego.KeyboardButton // below the input field
}

// event is a message or an edit of the bot.
type event struct {
	method string
	text   string
	msg    *telego.Message
}

// notice is the answer to a pressed button.
type notice struct {
	text  string
	alert bool
}

// sent puts a message of the bot's into its chat.
func (w *World) sent(method string, r request, text string) (telego.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.chat(r.ChatID)
	if err != nil {
		return telego.Message{}, err
	}
	self := w.self()
	w.lastID++
	m := &telego.Message{MessageID: int(w.lastID), From: &self, Chat: c.info, Date: w.now.Unix()}
	if method == "sendMessage" {
		m.Text = text
	} else {
		m.Caption = text
	}
	if r.Thread != 0 {
		m.MessageThreadID, m.IsTopicMessage = r.Thread, true
	}
	if r.Reply != nil {
		m.ReplyToMessage = c.message(int(r.Reply.MessageID))
	}
	if err := c.mark(m, r.Markup); err != nil {
		return telego.Message{}, err
	}
	c.messages = append(c.messages, m)
	c.events = append(c.events, event{method, text, m})
	return *m, nil
}

func (w *World) sentAlbum(r request) ([]telego.Message, error) {
	var album []telego.Message
	for _, media := range r.Media {
		m, err := w.sent("sendMediaGroup", r, media.Caption)
		if err != nil {
			return nil, err
		}
		album = append(album, m)
	}
	return album, nil
}

// mark gives a message its keyboard.
func (c *chat) mark(m *telego.Message, markup json.RawMessage) error {
	if len(markup) == 0 {
		return nil
	}
	var k struct {
		Inline  [][]telego.InlineKeyboardButton `json:"inline_keyboard"`
		Buttons [][]telego.KeyboardButton       `json:"keyboard"`
		Remove  bool                            `json:"remove_keyboard"`
	}
	if err := json.Unmarshal(markup, &k); err != nil {
		return Refuse(400, "Bad Request: can't parse reply keyboard markup JSON object")
	}
	switch {
	case k.Buttons != nil || k.Remove:
		c.keyboard = k.Buttons
	case k.Inline != nil:
		m.ReplyMarkup = &telego.InlineKeyboardMarkup{InlineKeyboard: k.Inline}
		for _, row := range k.Inline {
			for _, b := range row {
				if len(b.CallbackData) > 64 {
					return Refuse(400, "Bad Request: BUTTON_DATA_INVALID")
				}
			}
		}
	}
	return nil
}

// edited changes a message of the bot's.
func (w *World) edited(method string, r request) (any, error) {
	if r.InlineMessageID != "" {
		return true, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.chat(r.ChatID)
	if err != nil {
		return nil, err
	}
	m := c.message(r.MessageID)
	if m == nil {
		return nil, Refuse(400, "Bad Request: message to edit not found")
	}
	if m.From == nil || m.From.ID != w.cfg.Bot.ID {
		return nil, Refuse(400, "Bad Request: message can't be edited")
	}
	m.ReplyMarkup = nil
	if err := c.mark(m, r.Markup); err != nil {
		return nil, err
	}
	text := r.Text
	switch method {
	case "editMessageText":
		m.Text = r.Text
	case "editMessageCaption":
		m.Caption, text = r.Caption, r.Caption
	default:
		text = m.Text + m.Caption
	}
	c.events = append(c.events, event{method, text, m})
	return *m, nil
}

func (w *World) deleted(r request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.chat(r.ChatID)
	if err != nil {
		return err
	}
	for i, m := range c.messages {
		if m.MessageID == r.MessageID {
			c.messages = append(c.messages[:i:i], c.messages[i+1:]...)
			return nil
		}
	}
	return Refuse(400, "Bad Request: message to delete not found")
}

// noticed brings the answer to a button to the chat that it was pressed in.
func (w *World) noticed(r request) error {
	var n struct {
		Text  string `json:"text"`
		Alert bool   `json:"show_alert"`
	}
	n.Text = r.Text
	var id, serial int64
	if _, err := fmt.Sscanf(r.CallbackQueryID, "q%d.%d", &id, &serial); err != nil {
		return nil // a query that the test made itself
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.chats[id]; c != nil {
		c.notices = append(c.notices, notice{n.Text, n.Alert})
	}
	return nil
}

// chat finds a chat by the id in a call.
func (w *World) chat(id json.RawMessage) (*chat, error) {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if c := w.chats[n]; err == nil && c != nil {
		return c, nil
	}
	return nil, Refuse(400, "Bad Request: chat not found")
}

func (c *chat) message(id int) *telego.Message {
	for _, m := range c.messages {
		if m.MessageID == id {
			return m
		}
	}
	return nil
}

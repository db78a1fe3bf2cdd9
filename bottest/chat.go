package bottest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

type chat struct {
	id          int64
	info        telego.Chat
	messages    []*telego.Message
	events      []event // messages and edits of the bot, in order
	read        int     // how many of them Expect has read
	notices     []notice
	noticesRead int
	keyboard    [][]telego.KeyboardButton // below the input field
	blocked     bool                      // the bot was shut out
	sent        map[int]look              // of the bot's messages, by id
}

// look is what of a message an edit may change.
type look struct {
	method  string // that sent it
	text    rules.Formatted
	markup  string
	preview string // of links
}

type event struct {
	method string
	text   string
	msg    *telego.Message
}

type notice struct {
	text  string
	alert bool
}

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
	fill(m, method)
	c.sent[m.MessageID] = r.look(method, text)
	c.messages = append(c.messages, m)
	c.events = append(c.events, event{method, text, m})
	return *m, nil
}

func fill(m *telego.Message, method string) {
	id := fmt.Sprintf("file%d", m.MessageID)
	switch method {
	case "sendPhoto":
		m.Photo = []telego.PhotoSize{{FileID: id}}
	case "sendVideo":
		m.Video = &telego.Video{FileID: id}
	case "sendAnimation":
		m.Animation, m.Document = &telego.Animation{FileID: id}, &telego.Document{FileID: id}
	case "sendAudio":
		m.Audio = &telego.Audio{FileID: id}
	case "sendDocument":
		m.Document = &telego.Document{FileID: id}
	case "sendVoice":
		m.Voice = &telego.Voice{FileID: id}
	case "sendVideoNote":
		m.VideoNote = &telego.VideoNote{FileID: id}
	case "sendSticker":
		m.Sticker = &telego.Sticker{FileID: id}
	}
}

// look ignores errors: the rules have parsed the text.
func (r request) look(method, text string) look {
	f, _ := rules.Parse(text, r.ParseMode)
	return look{method, f, string(r.Markup), string(r.Preview)}
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
	}
	return nil
}

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
	if err := c.edit(m, method, r); err != nil {
		return nil, err
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

// edit refuses what changes nothing, or another content.
func (c *chat) edit(m *telego.Message, method string, r request) error {
	was := c.sent[m.MessageID]
	now := was
	now.markup = string(r.Markup)
	switch method {
	case "editMessageText":
		if m.Text == "" && len(r.Rich) == 0 {
			return rules.NoTextToEdit()
		}
		now = r.look(was.method, r.Text)
	case "editMessageCaption":
		if !rules.TakesCaption(was.method) {
			return rules.NoCaptionToEdit()
		}
		now = r.look(was.method, r.Caption)
	case "editMessageReplyMarkup":
	default:
		return nil
	}
	if now == was && len(r.Rich) == 0 {
		return rules.NotModified()
	}
	c.sent[m.MessageID] = now
	return nil
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

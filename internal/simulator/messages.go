package simulator

import (
	"context"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

// inChat finds a call's chat, and refuses the call where Telegram does. It takes the bot's mutex for quiet
// methods; execute holds it for the others.
func inChat(do func(r *request, c *Chat) (any, error)) func(context.Context, *request) (any, error) {
	return func(_ context.Context, r *request) (any, error) {
		if strings.HasPrefix(r.method, "get") {
			r.bot.mu.Lock()
			defer r.bot.mu.Unlock()
		}
		if r.params["inline_message_id"] != "" {
			return true, nil
		}
		c, err := r.chat("chat_id")
		if err != nil {
			return nil, err
		}
		switch {
		case c.moved != 0:
			return nil, &apiError{code: 400, what: "Bad Request: group chat was upgraded to a supergroup chat", migrateTo: c.moved}
		case c.blocked:
			return nil, rules.Blocked("private")
		case c.status(r.bot.id) == "kicked":
			return nil, rules.Blocked(c.info.Type)
		}
		return do(r, c)
	}
}

func (r *request) chat(param string) (*Chat, error) {
	if r.params[param] == "" {
		return nil, badRequest("%s is empty", param)
	}
	if name, ok := strings.CutPrefix(r.params[param], "@"); ok {
		for _, c := range r.bot.chats {
			if strings.EqualFold(c.info.Username, name) {
				return c, nil
			}
		}
		return nil, badRequest("chat not found")
	}
	id := r.params.number(param)
	if c := r.bot.chats[id]; c != nil {
		return c, nil
	}
	if r.bot.tg.cfg.AnyChat && id != 0 {
		return r.bot.open(ChatInfo{ID: id}), nil
	}
	return nil, badRequest("chat not found")
}

func (r *request) post(c *Chat, m Message) *Message {
	m.From = &r.bot.user
	m.Thread = r.params.number("message_thread_id")
	m.IsTopic = m.Thread != 0 && c.info.IsForum
	m.Markup = r.params.json("reply_markup")
	if c.info.Type == "channel" {
		m.SenderChat = &c.info
	}
	var reply struct {
		ID int64 `json:"message_id"`
	}
	if r.params.list("reply_parameters", &reply) {
		m.ReplyTo = c.messages[reply.ID]
	}
	c.put(&m)
	c.changed.send()
	return &m
}

func sendMessage(r *request, c *Chat) (any, error) {
	text := strings.TrimSpace(r.params["text"])
	return r.post(c, Message{Text: text, Entities: entitiesOf(text)}), nil
}

func sendMedia(r *request, c *Chat) (any, error) {
	caption := r.params["caption"]
	m := Message{Caption: caption}
	field := strings.ToLower(strings.TrimPrefix(r.method, "send"))
	switch field {
	case "photo", "document":
		f, err := r.file(field)
		if err != nil {
			return nil, err
		}
		if field == "photo" {
			f.Name, f.Width, f.Height = "", 90, 90
			m.Photo = []File{f}
		} else {
			m.Document = &f
		}
	}
	return r.post(c, m), nil
}

func (r *request) file(field string) (File, error) {
	name := field
	if attached, ok := strings.CutPrefix(r.params[field], "attach://"); ok {
		name = attached
	}
	for _, u := range r.files {
		if u.Field == name {
			id := decimal(r.bot.newID())
			return File{ID: field + "s_" + id, UniqueID: "u" + id, Name: u.Name, Size: u.Size}, nil
		}
	}
	if r.params[field] == "" {
		return File{}, badRequest("there is no %s in the request", field)
	}
	return File{ID: r.params[field], UniqueID: "u" + r.params[field]}, nil
}

func sendMediaGroup(r *request, c *Chat) (any, error) {
	var media []struct {
		Type    string `json:"type"`
		Media   string `json:"media"`
		Caption string `json:"caption"`
	}
	r.params.list("media", &media)
	group := decimal(r.bot.newID())
	var out []*Message
	for _, m := range media {
		f := File{ID: m.Media, UniqueID: "u" + m.Media}
		album := Message{MediaGroup: group, Caption: m.Caption}
		if m.Type == "photo" {
			album.Photo = []File{f}
		} else {
			album.Document = &f
		}
		out = append(out, r.post(c, album))
	}
	return out, nil
}

func editMessage(r *request, c *Chat) (any, error) {
	old := c.messages[r.params.number("message_id")]
	if old == nil || old.From == nil || old.From.ID != r.bot.id {
		return nil, badRequest("message to edit not found")
	}
	m := *old
	m.EditDate = time.Now().Unix()
	m.Markup = r.params.json("reply_markup")
	switch r.method {
	case "editMessageText":
		m.Text = strings.TrimSpace(r.params["text"])
		m.Entities = entitiesOf(m.Text)
		if old.Text == "" {
			return nil, rules.NoTextToEdit()
		}
	case "editMessageCaption":
		if old.Text != "" {
			return nil, rules.NoCaptionToEdit()
		}
		m.Caption = r.params["caption"]
	}
	if m.Text == old.Text && m.Caption == old.Caption && string(m.Markup) == string(old.Markup) && r.method != "editMessageMedia" {
		return nil, rules.NotModified()
	}
	c.messages[m.ID] = &m
	c.changed.send()
	return &m, nil
}

func deleteMessages(r *request, c *Chat) (any, error) {
	ids := []int64{r.params.number("message_id")}
	if r.method == "deleteMessages" && !r.params.list("message_ids", &ids) {
		return nil, badRequest("message identifiers are not specified")
	}
	found := false
	for _, id := range ids {
		found = c.remove(id) || found
	}
	if !found && r.method == "deleteMessage" {
		return nil, badRequest("message to delete not found")
	}
	c.changed.send()
	return true, nil
}

func (r *request) original() (*Message, error) {
	from, err := r.chat("from_chat_id")
	if err != nil {
		return nil, err
	}
	m := from.messages[r.params.number("message_id")]
	if m == nil {
		return nil, badRequest("message to copy not found")
	}
	return m, nil
}

func copyMessage(r *request, c *Chat) (any, error) {
	result, err := forwardMessage(r, c)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"message_id": messageIDOf(result, nil)}, nil
}

func forwardMessage(r *request, c *Chat) (any, error) {
	m, err := r.original()
	if err != nil {
		return nil, err
	}
	return r.post(c, Message{Text: m.Text, Entities: m.Entities, Caption: m.Caption, Photo: m.Photo, Document: m.Document}), nil
}

func getChat(_ *request, c *Chat) (any, error) {
	return struct {
		ChatInfo
		MaxReactions int `json:"max_reaction_count"`
		Accent       int `json:"accent_color_id"`
	}{c.info, 11, 0}, nil
}

func getChatMember(r *request, c *Chat) (any, error) {
	id := r.params.number("user_id")
	user, status := User{ID: id, FirstName: "User " + decimal(id)}, c.status(id)
	if p := r.bot.people[id]; p != nil {
		user = p.user
	}
	if id == r.bot.id {
		user, status = r.bot.user, "member"
	}
	return map[string]any{"user": user, "status": status}, nil
}

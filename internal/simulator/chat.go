package simulator

import (
	"context"
	"slices"
	"time"
)

// Chat is a private chat, group or channel that a bot is in. Safe for concurrent use.
type Chat struct {
	bot     *Bot
	info    ChatInfo
	changed broadcast

	// Guarded by the bot's mutex.
	last     int64 // message id
	order    []int64
	messages map[int64]*Message
	members  map[int64]string // status by user
	blocked  bool
	moved    int64 // the id after its migration
}

// ID is the chat's id.
func (c *Chat) ID() int64 { return c.info.ID }

// post puts a message into the chat and, unless kind is empty, queues its update in the order of the message ids.
func (c *Chat) post(kind string, m Message) Message {
	c.bot.mu.Lock()
	defer c.bot.mu.Unlock()
	c.put(&m)
	if kind != "" {
		c.push(kind, m)
	}
	return m
}

// put needs the bot's mutex.
func (c *Chat) put(m *Message) {
	c.last++
	m.ID, m.Chat, m.Date = c.last, c.info, time.Now().Unix()
	stored := *m
	c.messages[m.ID] = &stored
	c.order = append(c.order, m.ID)
}

// push needs the bot's mutex.
func (c *Chat) push(kind string, payload any) {
	raw := mustJSON(kind, payload)
	p := probeOf(raw)
	c.bot.box.push(kind, &p, raw)
}

func (c *Chat) kind() string {
	if c.info.Type == "channel" {
		return "channel_post"
	}
	return "message"
}

// Say posts a person's text; nil is the channel itself or an anonymous admin.
func (c *Chat) Say(from *Person, text string) Message {
	return c.Send(from, Message{Text: text, Entities: entitiesOf(text)})
}

// Send posts any message of a person; id, date and chat are filled in.
func (c *Chat) Send(from *Person, m Message) Message {
	switch {
	case from != nil:
		u := from.user
		m.From = &u
	case c.info.Type == "channel":
		m.SenderChat = &c.info
	default:
		m.SenderChat = &c.info
		m.From = &User{ID: 1087968824, IsBot: true, FirstName: "Group", Username: "GroupAnonymousBot"}
	}
	return c.post(c.kind(), m)
}

// Edit changes a message's text and queues the update.
func (c *Chat) Edit(messageID int64, text string) Message {
	c.bot.mu.Lock()
	defer c.bot.mu.Unlock()
	old := c.messages[messageID]
	if old == nil {
		return Message{}
	}
	m := *old
	m.Text, m.Entities, m.EditDate = text, entitiesOf(text), time.Now().Unix()
	c.messages[messageID] = &m
	c.push("edited_"+c.kind(), m)
	return m
}

// Press presses a button under a message and returns the query's id.
func (c *Chat) Press(from *Person, messageID int64, data string) string {
	b := c.bot
	b.mu.Lock()
	defer b.mu.Unlock()
	id := decimal(b.newID())
	b.queries[id] = time.Now().Add(answerTime("callback_query"))
	var under any = map[string]any{"message_id": messageID, "date": 0, "chat": c.info}
	if m := c.messages[messageID]; m != nil {
		under = m
	}
	c.push("callback_query", map[string]any{
		"id": id, "from": from.user, "message": under, "chat_instance": decimal(c.info.ID * 7919), "data": data,
	})
	return id
}

// React sets a person's reaction. The bot receives it if it asked for that type.
func (c *Chat) React(from *Person, messageID int64, emoji string) {
	c.bot.mu.Lock()
	defer c.bot.mu.Unlock()
	c.push("message_reaction", map[string]any{
		"chat": c.info, "message_id": messageID, "user": from.user, "date": time.Now().Unix(),
		"old_reaction": []any{}, "new_reaction": []any{map[string]any{"type": "emoji", "emoji": emoji}},
	})
}

// Join queues a service message, and chat_member if the bot asked for it.
func (c *Chat) Join(p *Person) {
	c.member(p, "member", Message{From: &p.user, Joined: []User{p.user}})
}

func (c *Chat) member(p *Person, status string, note Message) {
	c.bot.mu.Lock()
	defer c.bot.mu.Unlock()
	old := c.status(p.user.ID)
	c.members[p.user.ID] = status
	c.put(&note)
	c.push(c.kind(), note)
	c.push("chat_member", change(c.info, p.user, p.user, old, status))
}

// status needs the bot's mutex.
func (c *Chat) status(user int64) string {
	if s := c.members[user]; s != "" {
		return s
	}
	return "left"
}

func change(chat ChatInfo, actor, subject User, from, to string) map[string]any {
	return map[string]any{
		"chat": chat, "from": actor, "date": time.Now().Unix(),
		"old_chat_member": map[string]any{"user": subject, "status": from},
		"new_chat_member": map[string]any{"user": subject, "status": to},
	}
}

// Migrate turns the group into a supergroup with a new id, which it returns.
func (c *Chat) Migrate(newID int64) *Chat {
	info := c.info
	info.ID, info.Type = newID, "supergroup"
	to := c.bot.chat(info)
	c.post(c.kind(), Message{MigrateTo: newID})
	to.post("message", Message{MigrateFrom: c.info.ID})
	c.bot.mu.Lock()
	defer c.bot.mu.Unlock()
	c.moved = newID
	return to
}

// Sees are the bot's present messages in the chat: as edited, without deleted ones.
func (c *Chat) Sees() []Message {
	c.bot.mu.Lock()
	defer c.bot.mu.Unlock()
	var out []Message
	for _, id := range c.order {
		if m := c.messages[id]; m.From != nil && m.From.ID == c.bot.id {
			out = append(out, *m)
		}
	}
	return out
}

// Texts are the texts or captions of what it Sees.
func (c *Chat) Texts() []string {
	var out []string
	for _, m := range c.Sees() {
		out = append(out, m.Text+m.Caption)
	}
	return out
}

// Await calls ok with the bot's messages, again after each that is sent, edited or deleted, until it is true.
func (c *Chat) Await(ctx context.Context, ok func([]Message) bool) error {
	return c.changed.until(ctx, func() bool { return ok(c.Sees()) })
}

// remove needs the bot's mutex.
func (c *Chat) remove(id int64) bool {
	if c.messages[id] == nil {
		return false
	}
	delete(c.messages, id)
	c.order = slices.DeleteFunc(c.order, func(other int64) bool { return other == id })
	return true
}

package simulator

import (
	"context"
	"time"
)

// Person talks to a bot, in private unless a chat is named. Safe for concurrent use.
type Person struct {
	*Chat // the private chat with the bot

	user User
}

// Person returns the person of that id, with an open private chat.
func (b *Bot) Person(id int64, name string) *Person {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.people[id]; p != nil {
		return p
	}
	c := b.chats[id]
	if c == nil {
		c = b.open(ChatInfo{ID: id, Type: "private", FirstName: name})
	}
	p := &Person{Chat: c, user: User{ID: id, FirstName: name, Language: "en"}}
	b.people[id] = p
	return p
}

// Group is the group of that id; an id below -10^12 makes it a supergroup.
func (b *Bot) Group(id int64, title string) *Chat {
	kind := "group"
	if id < -1_000_000_000_000 {
		kind = "supergroup"
	}
	return b.chat(ChatInfo{ID: id, Type: kind, Title: title})
}

// Forum is a supergroup with topics.
func (b *Bot) Forum(id int64, title string) *Chat {
	return b.chat(ChatInfo{ID: id, Type: "supergroup", Title: title, IsForum: true})
}

// Channel is a channel that the bot is in.
func (b *Bot) Channel(id int64, title string) *Chat {
	return b.chat(ChatInfo{ID: id, Type: "channel", Title: title})
}

// Topic is a topic of a forum.
type Topic struct {
	chat   *Chat
	thread int64
}

// Topic is the topic of that thread id.
func (c *Chat) Topic(thread int64) Topic { return Topic{c, thread} }

// Say posts a person's text in the topic.
func (t Topic) Say(from *Person, text string) Message {
	return t.chat.Send(from, Message{Text: text, Entities: entitiesOf(text), Thread: t.thread, IsTopic: true})
}

// Sees are the bot's messages in the topic.
func (t Topic) Sees() []Message {
	var out []Message
	for _, m := range t.chat.Sees() {
		if m.Thread == t.thread {
			out = append(out, m)
		}
	}
	return out
}

// Say posts a text to the bot.
func (p *Person) Say(text string) Message { return p.Chat.Say(p, text) }

// Send posts any message to the bot.
func (p *Person) Send(m Message) Message { return p.Chat.Send(p, m) }

// Press presses a button under a message and returns the query's id.
func (p *Person) Press(messageID int64, data string) string { return p.Chat.Press(p, messageID, data) }

// Document posts a file with a caption.
func (p *Person) Document(name, caption string, content []byte) Message {
	f := p.bot.keep("documents", content)
	f.Name, f.MIME = name, "application/octet-stream"
	return p.Send(Message{Document: &f, Caption: caption, CaptionEntities: entitiesOf(caption)})
}

func (b *Bot) keep(folder string, content []byte) File {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := decimal(b.newID())
	b.files[folder+"/file_"+id] = content
	return File{ID: folder + "_" + id, UniqueID: "u" + id, Size: int64(len(content))}
}

// Inline makes an inline query and returns its id.
func (p *Person) Inline(query string) string {
	return p.query("inline_query", map[string]any{"query": query, "offset": "", "chat_type": "sender"})
}

// Pay begins a payment with the final check and returns the query's id.
func (p *Person) Pay(payload string, amount int) string {
	return p.query("pre_checkout_query", map[string]any{"currency": "XTR", "total_amount": amount, "invoice_payload": payload})
}

func (p *Person) query(kind string, fields map[string]any) string {
	b := p.bot
	b.mu.Lock()
	defer b.mu.Unlock()
	id := decimal(b.newID())
	b.queries[id] = time.Now().Add(answerTime(kind))
	fields["id"], fields["from"] = id, p.user
	p.push(kind, fields)
	return id
}

// Answered waits for the answer to a query: the text shown, or the results given.
func (p *Person) Answered(ctx context.Context, query string) (string, error) {
	answer, found := "", false
	err := p.bot.answered.until(ctx, func() bool {
		p.bot.mu.Lock()
		defer p.bot.mu.Unlock()
		answer, found = p.bot.queryAnswers[query]
		return found
	})
	return answer, err
}

// Block blocks the bot, which receives an update; its calls to this chat fail with 403.
func (p *Person) Block() {
	p.bot.mu.Lock()
	defer p.bot.mu.Unlock()
	p.blocked = true
	p.push("my_chat_member", change(p.info, p.user, p.bot.user, "member", "kicked"))
}

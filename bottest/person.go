package bottest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
)

// Person is a user of the bot, in their private chat or, with [Person.In], in a group.
type Person struct {
	w      *World
	user   telego.User
	chat   *chat
	thread int
}

// Group is a group chat that the bot is in.
type Group struct {
	w    *World
	chat *chat
}

// Person makes a new user with a private chat. The user name is the name in lower case.
func (w *World) Person(name string) *Person {
	id := w.next()
	user := telego.User{ID: id, FirstName: name, Username: strings.ToLower(name), LanguageCode: "en"}
	info := telego.Chat{ID: id, Type: telego.ChatTypePrivate, FirstName: name}
	return &Person{w: w, user: user, chat: w.open(info)}
}

// Group makes a supergroup that the bot is in.
func (w *World) Group(title string) *Group {
	info := telego.Chat{ID: -1_000_000_000_000 - w.next(), Type: telego.ChatTypeSupergroup, Title: title}
	return &Group{w: w, chat: w.open(info)}
}

func (w *World) open(info telego.Chat) *chat {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &chat{id: info.ID, info: info, sent: map[int]look{}}
	w.chats[c.id] = c
	return c
}

// ID is the person's user id.
func (p *Person) ID() int64 { return p.user.ID }

// ID is the group's chat id.
func (g *Group) ID() int64 { return g.chat.id }

// Speaking is the person with their client set to a language, such as "pt-br".
func (p *Person) Speaking(language string) *Person {
	other := *p
	other.user.LanguageCode = language
	return &other
}

// In is the same person, acting and reading in a group.
func (p *Person) In(g *Group) *Person {
	other := *p
	other.chat, other.thread = g.chat, 0
	return &other
}

// Topic is the same person, writing in a forum topic of the group.
func (p *Person) Topic(thread int) *Person {
	other := *p
	other.thread = thread
	return &other
}

// Say writes a text.
func (p *Person) Say(text string) {
	p.w.t.Helper()
	p.Send(telego.Message{Text: text})
}

// Send writes a message with any content; sender, chat, id and date are filled in.
func (p *Person) Send(m telego.Message) {
	p.w.t.Helper()
	p.post(&m)
	p.w.Update(telego.Update{Message: &m})
}

func (p *Person) post(m *telego.Message) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	user := p.user
	p.w.lastID++
	p.chat.blocked = false
	m.MessageID, m.From, m.Chat, m.Date = int(p.w.lastID), &user, p.chat.info, p.w.now.Unix()
	m.MessageThreadID, m.IsTopicMessage = p.thread, p.thread != 0
	kept := *m
	p.chat.messages = append(p.chat.messages, &kept)
}

// Reply writes a text that quotes the bot's last message.
func (p *Person) Reply(text string) {
	p.w.t.Helper()
	p.Send(telego.Message{Text: text, ReplyToMessage: p.Last()})
}

// Edit changes the person's last message in the chat.
func (p *Person) Edit(text string) {
	p.w.t.Helper()
	m := p.last(p.user.ID)
	if m == nil {
		p.w.t.Errorf("%s has written nothing to edit", p.user.FirstName)
		return
	}
	m.Text, m.EditDate = text, p.w.Now().Unix()
	p.w.Update(telego.Update{EditedMessage: m})
}

// Album sends messages as one media group: in one turn if the router gathers albums, else in a turn each.
func (p *Person) Album(messages ...telego.Message) {
	p.w.t.Helper()
	group := fmt.Sprintf("album%d", p.w.next())
	for i := range messages {
		messages[i].MediaGroupID = group
		p.post(&messages[i])
	}
	if p.w.compiled().AlbumWait() > 0 {
		p.w.mustSucceed(p.w.deliver(telego.Update{Message: &messages[0]}, messages))
		return
	}
	for i := range messages {
		p.w.Update(telego.Update{Message: &messages[i]})
	}
}

// Press presses the button with this text: an inline button under the newest message that has one, else one
// of the keyboard below the input field. Without such a button the test fails.
func (p *Person) Press(text string) {
	p.w.t.Helper()
	m, b := p.button(text)
	switch {
	case m == nil && p.onKeyboard(text):
		p.Say(text)
	case m == nil:
		p.w.t.Errorf("there is no button %q", text)
	case b.CallbackData == "":
		p.w.t.Errorf("button %q sends nothing to the bot", text)
	default:
		p.w.Update(telego.Update{CallbackQuery: &telego.CallbackQuery{
			ID: fmt.Sprintf("q%d.%d", p.chat.id, p.w.next()), From: p.user,
			Message: m, ChatInstance: "1", Data: b.CallbackData,
		}})
	}
}

func (p *Person) button(text string) (*telego.Message, telego.InlineKeyboardButton) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, m := range slices.Backward(p.chat.messages) {
		if m.ReplyMarkup == nil {
			continue
		}
		for _, row := range m.ReplyMarkup.InlineKeyboard {
			for _, b := range row {
				if b.Text == text {
					c := *m
					return &c, b
				}
			}
		}
	}
	return nil, telego.InlineKeyboardButton{}
}

func (p *Person) onKeyboard(text string) bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, row := range p.chat.keyboard {
		for _, b := range row {
			if b.Text == text {
				return true
			}
		}
	}
	return false
}

// Join makes the person join a group: a service message and a chat_member update.
func (p *Person) Join(g *Group) {
	p.w.t.Helper()
	in := p.In(g)
	in.Send(telego.Message{NewChatMembers: []telego.User{p.user}})
	in.become(&telego.ChatMemberLeft{Status: telego.MemberStatusLeft, User: p.user},
		&telego.ChatMemberMember{Status: telego.MemberStatusMember, User: p.user})
}

// Leave makes the person leave a group.
func (p *Person) Leave(g *Group) {
	p.w.t.Helper()
	in := p.In(g)
	in.Send(telego.Message{LeftChatMember: &p.user})
	in.become(&telego.ChatMemberMember{Status: telego.MemberStatusMember, User: p.user},
		&telego.ChatMemberLeft{Status: telego.MemberStatusLeft, User: p.user})
}

// Promote makes the person an administrator of a group.
func (p *Person) Promote(g *Group) {
	p.w.t.Helper()
	p.In(g).become(&telego.ChatMemberMember{Status: telego.MemberStatusMember, User: p.user},
		&telego.ChatMemberAdministrator{Status: telego.MemberStatusAdministrator, User: p.user})
}

func (p *Person) become(before, after telego.ChatMember) {
	p.w.t.Helper()
	p.w.Update(telego.Update{ChatMember: &telego.ChatMemberUpdated{
		Chat: p.chat.info, From: p.user, Date: p.w.Now().Unix(), OldChatMember: before, NewChatMember: after,
	}})
}

// Block makes the person block the bot, or remove it from the group. From then on calls into the chat are refused.
func (p *Person) Block() {
	p.w.t.Helper()
	self := p.w.self()
	p.botBecomes(&telego.ChatMemberMember{Status: telego.MemberStatusMember, User: self},
		&telego.ChatMemberBanned{Status: telego.MemberStatusBanned, User: self})
}

// Unblock undoes [Person.Block], as a message of the person does.
func (p *Person) Unblock() {
	p.w.t.Helper()
	self := p.w.self()
	p.botBecomes(&telego.ChatMemberBanned{Status: telego.MemberStatusBanned, User: self},
		&telego.ChatMemberMember{Status: telego.MemberStatusMember, User: self})
}

func (p *Person) botBecomes(before, after telego.ChatMember) {
	p.w.t.Helper()
	p.w.Update(telego.Update{MyChatMember: &telego.ChatMemberUpdated{
		Chat: p.chat.info, From: p.user, Date: p.w.Now().Unix(), OldChatMember: before, NewChatMember: after,
	}})
}

// State is the state of the person's conversation in this chat.
func (p *Person) State() bot.State { return bot.State(p.w.load(p.key()).state) }

func (p *Person) key() string {
	return p.w.key(lane.Scope{
		Bot: p.w.cfg.Bot.ID, Kind: lane.KindChat, Chat: p.chat.id, User: p.user.ID, Thread: int64(p.thread),
	})
}

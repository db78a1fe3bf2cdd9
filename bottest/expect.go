package bottest

import (
	"encoding/json"
	"regexp"
	"slices"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
)

// Expect wants the bot's next messages and edits in this chat to have exactly these texts, in order. Each is
// read once.
func (p *Person) Expect(texts ...string) {
	p.w.t.Helper()
	for _, want := range texts {
		e, ok := p.next()
		if !ok {
			p.w.t.Errorf("the bot is silent, want %q", want)
			return
		}
		if e.text != want {
			p.w.t.Errorf("the bot says %q, want %q", e.text, want)
		}
	}
}

// ExpectMatch wants the bot's next message or edit to match a regular expression, and returns the match and
// its groups.
func (p *Person) ExpectMatch(expr string) []string {
	p.w.t.Helper()
	e, ok := p.next()
	if !ok {
		p.w.t.Errorf("the bot is silent, want %s", expr)
		return nil
	}
	found := regexp.MustCompile(expr).FindStringSubmatch(e.text)
	if found == nil {
		p.w.t.Errorf("the bot says %q, want %s", e.text, expr)
	}
	return found
}

// ExpectSilence wants no further message or edit of the bot in this chat.
func (p *Person) ExpectSilence() {
	p.w.t.Helper()
	if e, ok := p.next(); ok {
		p.w.t.Errorf("the bot says %q, want silence", e.text)
	}
}

// ExpectNotice wants the next answer to a pressed button to have this text; empty for an answer that only
// stops the progress bar.
func (p *Person) ExpectNotice(text string) {
	p.w.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.chat.noticesRead == len(p.chat.notices) {
		p.w.t.Errorf("no button was answered, want %q", text)
		return
	}
	got := p.chat.notices[p.chat.noticesRead]
	p.chat.noticesRead++
	if got.text != text {
		p.w.t.Errorf("button answered with %q, want %q", got.text, text)
	}
}

// ExpectState wants the person's conversation to be at this state.
func (p *Person) ExpectState(want bot.State) {
	p.w.t.Helper()
	if got := p.State(); got != want {
		p.w.t.Errorf("conversation stands at %q, want %q", got, want)
	}
}

// ExpectButtons wants the bot's last message to have inline buttons with these texts.
func (p *Person) ExpectButtons(want ...string) {
	p.w.t.Helper()
	var got []string
	if m := p.Last(); m != nil && m.ReplyMarkup != nil {
		for _, row := range m.ReplyMarkup.InlineKeyboard {
			for _, b := range row {
				got = append(got, b.Text)
			}
		}
	}
	if !slices.Equal(got, want) {
		p.w.t.Errorf("buttons %q, want %q", got, want)
	}
}

// Unread reads the texts of all messages and edits that no Expect has read yet.
func (p *Person) Unread() []string {
	var texts []string
	for {
		e, ok := p.next()
		if !ok {
			return texts
		}
		texts = append(texts, e.text)
	}
}

// Last is a copy of the bot's last message in this chat, nil if there is none.
func (p *Person) Last() *telego.Message { return p.last(p.w.cfg.Bot.ID) }

func (p *Person) last(user int64) *telego.Message {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, m := range slices.Backward(p.chat.messages) {
		if m.From != nil && m.From.ID == user {
			c := *m
			return &c
		}
	}
	return nil
}

func (p *Person) next() (event, bool) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.chat.read == len(p.chat.events) {
		return event{}, false
	}
	p.chat.read++
	return p.chat.events[p.chat.read-1], true
}

// Data reads the data of the person's conversation in this chat as a T; the zero T if there is none.
func Data[T any](p *Person) T {
	p.w.t.Helper()
	var v T
	raw := p.w.load(p.key()).data
	if len(raw) == 0 {
		return v
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		p.w.t.Errorf("read data as %T: %v", v, err)
	}
	return v
}

package simulator

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Bot is one bot, with its chats and pending updates.
type Bot struct {
	tg    *Telegram
	id    int64
	user  User
	token string

	box    *backlog
	sender chan struct{} // one element: held by the running sender
	poll   chan struct{} // closed when another getUpdates takes over

	mu           sync.Mutex
	chats        map[int64]*Chat
	people       map[int64]*Person
	queries      map[string]time.Time // until when callback and other queries may be answered
	files        map[string][]byte
	queryAnswers map[string]string // answers to queries
	lastSet      time.Time         // of setWebhook
	settings     map[string]json.RawMessage
	flood        flood
	serial       int64 // of query and file ids
	answered     broadcast
}

func newBot(t *Telegram, cfg BotConfig, seed uint64) *Bot {
	id := botID(cfg.Token)
	cfg.Username = cmp.Or(cfg.Username, "bot"+decimal(id))
	limit := cmp.Or(t.cfg.MaxPending, 100_000)
	b := &Bot{
		tg: t, id: id, token: cfg.Token, user: User{ID: id, IsBot: true, FirstName: "Chatlane", Username: cfg.Username},
		box: newBacklog(limit, chance(seed, uint64(id)).Int64N(1e9-2e6)+2e6), sender: make(chan struct{}, 1),
		chats: make(map[int64]*Chat), people: make(map[int64]*Person), queries: make(map[string]time.Time),
		files: make(map[string][]byte), queryAnswers: make(map[string]string), settings: make(map[string]json.RawMessage),
	}
	b.flood.limits = t.cfg.Flood
	webhook := cfg.Webhook.withDefaults(seed)
	b.box.setWebhook(&webhook, false)
	return b
}

// ID is the number before the colon of the token.
func (b *Bot) ID() int64 { return b.id }

// Push queues an update with any payload and returns its id, 0 if the bot does not receive that type.
func (b *Bot) Push(updateType string, payload any) (id int64) {
	raw := mustJSON("payload of "+updateType, payload)
	p := probeOf(raw)
	b.openFor(updateType, &p)
	return b.box.push(updateType, &p, raw)
}

func (b *Bot) openFor(updateType string, p *probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range []*ChatInfo{p.Chat, p.Message.chat()} {
		if c != nil && c.ID != 0 && b.chats[c.ID] == nil {
			b.open(*c)
		}
	}
	if id := p.id(); id != "" {
		if ttl := answerTime(updateType); ttl > 0 {
			b.queries[id] = time.Now().Add(ttl)
		}
	}
}

// open needs b.mu.
func (b *Bot) open(info ChatInfo) *Chat {
	if info.Type == "" {
		info.Type = "private"
		if info.ID < 0 {
			info.Type = "supergroup"
		}
	}
	c := &Chat{bot: b, info: info, messages: make(map[int64]*Message), members: make(map[int64]string)}
	b.chats[info.ID] = c
	return c
}

func (b *Bot) chat(info ChatInfo) *Chat {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.chats[info.ID]; c != nil {
		return c
	}
	return b.open(info)
}

// SetWebhook sets where updates go. As at Telegram, requests in flight are cancelled and sent again.
func (b *Bot) SetWebhook(cfg WebhookConfig) {
	cfg = cfg.withDefaults(b.tg.cfg.Seed)
	b.box.setWebhook(&cfg, false)
}

func (b *Bot) deleteWebhook() {
	cfg := b.box.config()
	cfg.URL, cfg.Targets = "", nil
	b.box.setWebhook(&cfg, false)
}

// Deliver sets a webhook, delivers to it until ctx ends, and removes it. Undelivered updates stay pending.
func (b *Bot) Deliver(ctx context.Context, cfg WebhookConfig) {
	b.SetWebhook(cfg)
	b.send(ctx)
	b.deleteWebhook()
}

// Webhook is the present setting; its URL is empty when there is none.
func (b *Bot) Webhook() WebhookConfig { return b.box.config() }

// Pending counts undelivered updates, those in flight included.
func (b *Bot) Pending() int {
	b.box.mu.Lock()
	defer b.box.mu.Unlock()
	return b.box.left
}

// Idle waits until no update is pending and no second copy is under way.
func (b *Bot) Idle(ctx context.Context) error {
	return b.box.quiet.until(ctx, func() bool {
		b.box.mu.Lock()
		defer b.box.mu.Unlock()
		return b.box.left == 0 && b.box.copies == 0
	})
}

// AwaitRoom waits until at most half of MaxPending updates are pending.
func (b *Bot) AwaitRoom(ctx context.Context) error {
	return b.box.quiet.until(ctx, func() bool { return b.Pending() <= b.box.limit/2 })
}

// Sent adds up what the webhook sender did.
func (b *Bot) Sent() Sent {
	b.box.mu.Lock()
	defer b.box.mu.Unlock()
	return b.box.sent
}

// newID needs b.mu.
func (b *Bot) newID() int64 {
	b.serial++
	return b.id%1_000_000*1_000_000_000 + b.serial
}

func defaultAllowed(updateType string) bool {
	return !slices.Contains([]string{"chat_member", "message_reaction", "message_reaction_count"}, updateType)
}

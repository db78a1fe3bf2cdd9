package bottest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

type arrival struct {
	scope  lane.Scope
	update int64 // its id; 0 for a timeout
	parts  bot.Parts
}

func (w *World) deliver(u telego.Update, album []telego.Message) error {
	w.t.Helper()
	if u.UpdateID == 0 {
		u.UpdateID = int(w.next())
	}
	raw, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return w.deliverRaw(raw, album)
}

func (w *World) deliverRaw(raw json.RawMessage, album []telego.Message) error {
	w.t.Helper()
	e, err := update.Peek(w.cfg.Bot.ID, raw)
	if err != nil { // not the bot's failure, so Fails must not see it
		w.t.Errorf("a worker would make update %.100s a dead letter without a turn: %v", raw, err)
		return nil
	}
	var decoded telego.Update // decoded from the bytes, as in a worker
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return err
	}
	w.noteBlock(decoded.MyChatMember)
	a := arrival{scope: e.Scope, update: e.UpdateID, parts: w.parts(e, raw)}
	a.parts.Update = &decoded
	for i := range album {
		a.parts.Album = append(a.parts.Album, &album[i])
	}
	if m := newMessage(&decoded); album == nil && m != nil && m.MediaGroupID != "" && w.compiled().AlbumWait() > 0 {
		a.parts.Album = []*telego.Message{m} // nobody waited for the others
	}
	return w.admit(a)
}

func newMessage(u *telego.Update) *telego.Message {
	for _, m := range [...]*telego.Message{u.Message, u.ChannelPost, u.BusinessMessage} {
		if m != nil {
			return m
		}
	}
	return nil
}

func (w *World) noteBlock(change *telego.ChatMemberUpdated) {
	if change == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.chats[change.Chat.ID]; c != nil {
		c.blocked = bot.MembershipOf(change.NewChatMember)&bot.NotMember != 0
	}
}

func (w *World) parts(e update.Envelope, raw json.RawMessage) bot.Parts {
	p := bot.Parts{
		Bot: w.cfg.Bot, Type: e.Type, Raw: raw, Chat: e.Chat, User: e.User, Thread: e.Thread,
		Guest: e.Kind == lane.KindGuest, API: w.api, Call: w.callAny, Logger: w.cfg.Logger, Attempt: 1, Received: w.Now(),
	}
	if within := update.AnswerWithin(e.Type); within > 0 {
		p.Deadline = p.Received.Add(within)
	}
	if e.Kind == lane.KindBusiness {
		p.Business = e.ID
	}
	return p
}

func (w *World) admit(a arrival) error {
	ctx, p := w.t.Context(), a.parts
	err := w.compiled().Admit(ctx, bot.Envelope{
		Bot: p.Bot.ID, Update: a.update, Type: p.Type, Chat: p.Chat, User: p.User, Thread: p.Thread, Received: p.Received, Raw: p.Raw,
	})
	if errors.Is(err, bot.ErrDropped) {
		w.mu.Lock()
		w.dropped++
		w.mu.Unlock()
		return nil
	}
	if err != nil {
		return err
	}
	if w.compiled().UrgentTypes() != 0 {
		p.CancelRunning = w.laneTurns(a.scope).interrupt
		if err := w.compiled().AnswerUrgent(ctx, bot.NewTurn(p)); err != nil && !errors.Is(err, bot.ErrUnhandled) {
			return err
		}
	}
	return w.turn(ctx, a)
}

func (w *World) turn(ctx context.Context, a arrival) error {
	tr := w.laneTurns(a.scope)
	tr.turn.Lock()
	defer tr.turn.Unlock()
	key := w.key(a.scope)
	if key != "" && !fsm.Contained(lane.ByChat, w.strategy) { // one conversation in several lanes
		shared := w.shared(key)
		shared.Lock()
		defer shared.Unlock()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tr.set(cancel)
	defer tr.set(nil)

	var buffer conversation
	if key != "" {
		buffer = w.load(key)
		a.parts.Session = &buffer
	}
	t := bot.NewTurn(a.parts)
	err := w.compiled().Answer(ctx, t)
	if err != nil && errors.Is(context.Cause(ctx), bot.ErrCancelled) {
		return nil // stopped on purpose: nothing is kept
	}
	if errors.Is(err, bot.ErrUnhandled) {
		w.mu.Lock()
		w.unhandled++
		w.mu.Unlock()
		err = nil
	}
	if err == nil && key != "" {
		w.commit(key, buffer, t, a)
	}
	return err
}

type laneTurns struct {
	turn   sync.Mutex
	mu     sync.Mutex
	cancel context.CancelCauseFunc // of the running turn
}

func (w *World) laneTurns(s lane.Scope) *laneTurns {
	key := lane.ByChat.Key(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes[key] == nil {
		w.lanes[key] = &laneTurns{}
	}
	return w.lanes[key]
}

func (w *World) shared(key string) *sync.Mutex {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.locks[key] == nil {
		w.locks[key] = &sync.Mutex{}
	}
	return w.locks[key]
}

func (tr *laneTurns) set(cancel context.CancelCauseFunc) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.cancel = cancel
}

func (tr *laneTurns) interrupt() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.cancel != nil {
		tr.cancel(bot.ErrCancelled)
	}
}

package turn

import (
	"context"
	"log/slog"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue"
)

// album holds the parts of a media group. Journal, attempts and cursor are the first part's. The commit keeps
// the ids of the others, so that updates between the parts are not skipped: docs/decisions/0008-albums.md.
type album struct {
	complete bool // no more parts are taken
	parts    []part
}

type part struct {
	d       *queue.Delivery
	message *telego.Message
}

func albumWait(p *bot.Program) time.Duration {
	if p == nil {
		return 0
	}
	return p.AlbumWait()
}

// gather takes the parts of an album that wait behind the first, or returns how long the lane has
// to wait for them. A waiting lane holds no slot.
func (t *task) gather(ctx context.Context) (wait time.Duration) {
	if t.r.albums == 0 || t.d.Album == "" || t.album.complete {
		return 0
	}
	if wait := t.r.albums - t.d.Here(); wait > 0 {
		return wait
	}
	behind, err := t.d.Behind(ctx)
	if err != nil {
		t.r.log.WarnContext(ctx, "album not gathered, trying again", t.attrs(slog.String("error", err.Error()))...)
		return pace(2)
	}
	t.album.complete = true
	for _, d := range behind {
		if d.Album != t.d.Album || d.Type != t.d.Type || d.ID == 0 || d.Replay != 0 {
			continue
		}
		if m := t.message(ctx, d); m != nil {
			t.album.parts = append(t.album.parts, part{d, m})
		}
	}
	return 0
}

// message is nil for a part that needs a turn of its own: it cannot be decoded, or an urgent handler takes it.
func (t *task) message(ctx context.Context, d *queue.Delivery) *telego.Message {
	p, err := (&task{r: t.r, d: d}).parts(ctx)
	if err != nil || t.r.urgent.wants(d) && t.r.deps.Program.IsUrgent(ctx, bot.NewTurn(p)) {
		return nil
	}
	u, err := p.Decode()
	if err != nil {
		return nil
	}
	return messageOf(u)
}

func messageOf(u *telego.Update) *telego.Message {
	for _, m := range [...]*telego.Message{u.Message, u.ChannelPost, u.BusinessMessage} {
		if m != nil {
			return m
		}
	}
	return nil
}

func (t *task) joinAlbum(context.Context) (progress, error) {
	t.session.Also(t.album.ids()...)
	return goOn, nil
}

func (a *album) ids() []int64 {
	if len(a.parts) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(a.parts))
	for _, p := range a.parts {
		ids = append(ids, p.d.ID)
	}
	return ids
}

// messages lists the album in order.
func (a *album) messages(first *telego.Update) []*telego.Message {
	all := []*telego.Message{messageOf(first)}
	for _, p := range a.parts {
		all = append(all, p.message)
	}
	return all
}

package turn

import (
	"context"
	"log/slog"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue"
)

// album is what a turn gathers of a media group. The turn has the position of the first
// part: its journal, its attempts and its cursor are that part's. The others are done by
// the ids that the commit remembers, so that what came between the parts is not passed
// over: docs/decisions/0008-albums.md.
type album struct {
	complete bool // no more parts are taken
	parts    []part
}

// part is a further part of an album, after the first.
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

// gather returns how long the lane has to wait for further parts of an album. It holds
// no slot meanwhile. Then it takes the parts that wait behind the first.
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

// message decodes a further part. It is nil for what has a turn of its own: what cannot
// be decoded, and what an urgent handler takes.
func (t *task) message(ctx context.Context, d *queue.Delivery) *telego.Message {
	p, err := (&task{r: t.r, d: d}).parts(ctx)
	if err != nil || t.r.urgent.wants(d) && t.r.deps.Program.IsUrgent(ctx, bot.NewTurn(p)) {
		return nil
	}
	return messageOf(p.Update)
}

// messageOf is the new message that an update brings.
func messageOf(u *telego.Update) *telego.Message {
	for _, m := range [...]*telego.Message{u.Message, u.ChannelPost, u.BusinessMessage} {
		if m != nil {
			return m
		}
	}
	return nil
}

// joinAlbum has the commit cover the further parts.
func (t *task) joinAlbum(context.Context) (progress, error) {
	t.session.Also(t.album.ids()...)
	return goOn, nil
}

// ids are the update ids of the further parts.
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

// messages lists the whole album, whose first part is first; nil for what is no part of one.
func (a *album) messages(first *telego.Update) []*telego.Message {
	if !a.complete {
		return nil
	}
	all := []*telego.Message{messageOf(first)}
	for _, p := range a.parts {
		all = append(all, p.message)
	}
	return all
}

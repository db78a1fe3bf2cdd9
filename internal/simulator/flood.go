package simulator

import (
	"time"
)

// Flood is the limits beyond which messages are refused with 429; 0 is no limit.
type Flood struct {
	PerSecond        int // messages of a bot
	ChatPerSecond    int // messages into one chat
	GroupPerMinute   int // messages into one group
	RetryAfterSecond int // sent with the 429; 0 means the rest of the second or minute
}

// flood is guarded by the bot's mutex.
type flood struct {
	limits Flood
	bot    window
	chats  map[int64]*window
	groups map[int64]*window
}

type window struct {
	start time.Time
	count int
}

// full returns how long to wait if the window is full, else counts one and returns 0.
func (w *window) full(now time.Time, span time.Duration, limit int) time.Duration {
	if now.Sub(w.start) >= span {
		w.start, w.count = now, 0
	}
	if w.count >= limit {
		return w.start.Add(span).Sub(now)
	}
	w.count++
	return 0
}

func (f *flood) check(method string, chat int64, now time.Time) error {
	if f.limits == (Flood{}) || !makesMessage(method) || method == "sendChatAction" {
		return nil
	}
	if f.chats == nil {
		f.chats, f.groups = make(map[int64]*window), make(map[int64]*window)
	}
	var wait time.Duration
	if n := f.limits.PerSecond; n > 0 {
		wait = max(wait, f.bot.full(now, time.Second, n))
	}
	if n := f.limits.ChatPerSecond; n > 0 {
		wait = max(wait, of(f.chats, chat).full(now, time.Second, n))
	}
	if n := f.limits.GroupPerMinute; n > 0 && chat < 0 {
		wait = max(wait, of(f.groups, chat).full(now, time.Minute, n))
	}
	if wait == 0 {
		return nil
	}
	if f.limits.RetryAfterSecond > 0 {
		return tooMany(f.limits.RetryAfterSecond)
	}
	return tooMany(int((wait + time.Second - 1) / time.Second))
}

func of(windows map[int64]*window, chat int64) *window {
	if windows[chat] == nil {
		windows[chat] = &window{}
	}
	return windows[chat]
}

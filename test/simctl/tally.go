package simctl

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
)

// TallyConfig is a load of conversations with the bot's /tally.
type TallyConfig struct {
	First int64 // id of the first chat, the others count up; 0 means 1,000,000
	Chats int
	Texts int // said in each chat, after /tally
	// Pace is the time between the texts of a chat, so that answer times can be told;
	// 0: all are pushed at once and queue up.
	Pace time.Duration
	// Settle is how long to listen on for repeats once all has been answered.
	Settle time.Duration
}

func (c TallyConfig) withDefaults() TallyConfig {
	if c.First == 0 {
		c.First = 1_000_000
	}
	return c
}

func (c TallyConfig) has(chat int64) bool { return chat >= c.First && chat < c.First+int64(c.Chats) }

// Tally lets each chat say /tally and its texts to the first bot, waits for all
// replies, and adds them up. When ctx ends first, the report tells what is missing
// and the error that it was cut short.
func Tally(ctx context.Context, t *simulator.Telegram, cfg TallyConfig) (Report, error) {
	cfg = cfg.withDefaults()
	from := len(t.Calls())
	begun := time.Now()
	pushed, err := say(ctx, t, cfg)
	if err == nil {
		err = t.Await(ctx, tallyDone(cfg, from))
	}
	took := time.Since(begun)
	if err == nil {
		err = t.Idle(ctx)
	}
	pause(ctx, cfg.Settle)
	r := checkTally(t.Calls(simulator.Filter{Method: "sendMessage", Since: from}), cfg, pushed)
	r.Took = took
	return r, err
}

// say pushes all texts, round by round, and no more than Telegram would keep.
func say(ctx context.Context, t *simulator.Telegram, cfg TallyConfig) (pushed *sync.Map, err error) {
	pushed = &sync.Map{}
	for k := range cfg.Texts + 1 {
		if err := t.First().AwaitRoom(ctx); err != nil {
			return pushed, err
		}
		for c := range cfg.Chats {
			chat, text := cfg.First+int64(c), "/tally"
			if k > 0 {
				text = tallyText(k)
			}
			pushed.Store(tallyKey{chat, k}, time.Now())
			t.Say(chat, "Person "+strconv.FormatInt(chat, 10), text)
		}
		pause(ctx, cfg.Pace)
	}
	return pushed, nil
}

type tallyKey struct {
	chat int64
	k    int
}

func tallyText(k int) string  { return "text " + strconv.Itoa(k) }
func tallyReply(k int) string { return strconv.Itoa(k) + ". " + tallyText(k) }

// TallyDone is for Await: it tells whether each chat has had all its replies.
func TallyDone(first int64, chats, n int) func([]simulator.Call) bool {
	return tallyDone(TallyConfig{First: first, Chats: chats, Texts: n}, 0)
}

func tallyDone(cfg TallyConfig, from int) func([]simulator.Call) bool {
	left, read := cfg.Chats*(cfg.Texts+1), from
	seen := make(map[tallyKey]bool, left)
	return func(calls []simulator.Call) bool {
		for _, c := range calls[read:] {
			k := tallyNumber(c.Text)
			if key := (tallyKey{c.Chat, k}); c.Method == "sendMessage" && cfg.has(c.Chat) && k <= cfg.Texts && !seen[key] {
				seen[key] = true
				left--
			}
		}
		read = len(calls)
		return left == 0
	}
}

// tallyNumber is the k of a reply "k. text"; 0 of the one to /tally itself, which may
// say anything else.
func tallyNumber(text string) int {
	number, _, ok := strings.Cut(text, ". ")
	if !ok || strings.Trim(number, "0123456789") != "" {
		return 0
	}
	k, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return k
}

// CheckTally adds up all replies so far to conversations that were held without Tally:
// each chat said /tally, then "text 1" to "text n".
func CheckTally(t *simulator.Telegram, first int64, chats, n int) Report {
	return checkTally(t.Calls(simulator.Filter{Method: "sendMessage"}), TallyConfig{First: first, Chats: chats, Texts: n}, &sync.Map{})
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

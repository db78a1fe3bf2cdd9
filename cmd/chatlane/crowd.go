package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/chatlane/chatlane/internal/simulator"
)

const (
	firstPerson = 1_000_000 // id of the first person, the others count up
	textsATime  = 20        // said between /tally and /stop
	patience    = 2 * time.Minute
	late        = 10 * time.Second
)

// crowd are people who count aloud with the bot, each in a chat of their own, and check its replies. Safe for
// concurrent use.
type crowd struct {
	telegram *simulator.Telegram
	chats    int
	pace     *rate.Limiter

	mu    sync.Mutex
	found crowdReport
}

type crowdReport struct {
	Said     int     `json:"said"`     // texts that want a counted reply
	Answered int     `json:"answered"` // with the right count, in order
	Late     int     `json:"late"`     // of these, after 10 s or more
	Twice    int     `json:"twice"`    // replies that came again
	Wrong    int     `json:"wrong"`    // replies with another count or text
	Missing  int     `json:"missing"`  // texts without a reply for two minutes
	Slowest  float64 `json:"slowest_seconds"`
}

func (r crowdReport) String() string {
	return fmt.Sprintf("said %d, answered %d, late %d, twice %d, wrong %d, missing %d, slowest %.2fs",
		r.Said, r.Answered, r.Late, r.Twice, r.Wrong, r.Missing, r.Slowest)
}

func newCrowd(t *simulator.Telegram, chats int, perSecond float64) *crowd {
	return &crowd{telegram: t, chats: chats, pace: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))}
}

func (c *crowd) report() crowdReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found
}

func (c *crowd) note(add func(*crowdReport)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.found)
}

func (c *crowd) talk(ctx context.Context) {
	var all sync.WaitGroup
	for i := range c.chats {
		id := int64(firstPerson + i)
		p := &counter{crowd: c, Person: c.telegram.Person(id, "Person "+strconv.FormatInt(id, 10))}
		all.Go(func() {
			for ctx.Err() == nil {
				p.count(ctx)
			}
		})
	}
	all.Wait()
}

type counter struct {
	*simulator.Person

	crowd *crowd
	seen  int    // replies that were checked
	last  string // the last counted one that was right
}

func (p *counter) count(ctx context.Context) {
	if !p.say(ctx, "/tally", "") {
		return
	}
	for k := 1; k <= textsATime; k++ {
		text := "text " + strconv.Itoa(k)
		if !p.say(ctx, text, strconv.Itoa(k)+". "+text) {
			return
		}
	}
	p.say(ctx, "/stop", "")
}

// say says a text and waits for its reply; an empty reply may be any. False means that the conversation is
// over: no reply came, or ctx ended.
func (p *counter) say(ctx context.Context, text, reply string) bool {
	if p.crowd.pace.Wait(ctx) != nil {
		return false
	}
	began := time.Now()
	p.Say(text)
	counts := reply != ""
	if counts {
		p.crowd.note(func(r *crowdReport) { r.Said++ })
	}
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	answered := false
	_ = p.Await(waiting, func(all []simulator.Message) bool { // answered tells of a missing reply
		for _, m := range all[p.seen:] {
			p.seen++
			switch {
			case !counts || m.Text == reply:
				answered, p.last = true, reply
				return true
			case m.Text == p.last:
				p.crowd.note(func(r *crowdReport) { r.Twice++ })
			default:
				p.crowd.note(func(r *crowdReport) { r.Wrong++ })
			}
		}
		return false
	})
	took := time.Since(began)
	p.crowd.note(func(r *crowdReport) {
		switch {
		case !answered && ctx.Err() != nil && counts:
			r.Said-- // cut short: neither answered nor missing
		case !answered && ctx.Err() == nil:
			r.Missing++
		case answered && counts:
			r.Answered++
			r.Slowest = max(r.Slowest, took.Seconds())
			if took >= late {
				r.Late++
			}
		}
	})
	return answered
}

package simctl

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
)

// Report adds up what chats were answered.
type Report struct {
	Chats      int
	Replies    int // all, repeats included
	Lost       int // replies that never came
	Disordered int // replies that came behind a later one, or that say something else
	Repeated   int // replies that came again without an excuse
	Excused    int // ... whose earlier caller was gone before the answer could reach it
	// Window counts replies that came again though their first caller had the answer:
	// it was stopped before it could make a note of it ([simulator.Call].Stop).
	Window  int
	Windows []int    // Window by the number of the stop, from 1 at index 0
	First   string   // the first thing that is wrong, for a person
	Details []string // all of them, up to 50

	Took          time.Duration
	Silence       time.Duration // the longest time between two replies of a chat
	P50, P99, Max time.Duration // from pushing a text to its reply
}

// Clean tells that nothing is wrong that has no excuse.
func (r Report) Clean() bool { return r.Lost+r.Repeated+r.Disordered == 0 }

func (r Report) String() string {
	s := fmt.Sprintf("%d chats, %d replies: %d lost, %d repeated, %d out of order; repeats excused: %d caller gone, %d caller stopped before its note",
		r.Chats, r.Replies, r.Lost, r.Repeated, r.Disordered, r.Excused, r.Window)
	if r.Took > 0 {
		s += fmt.Sprintf("; took %v, longest silence %v, answer times p50 %v p99 %v max %v", r.Took.Round(time.Millisecond),
			r.Silence.Round(time.Millisecond), r.P50.Round(time.Millisecond), r.P99.Round(time.Millisecond), r.Max.Round(time.Millisecond))
	}
	if r.First != "" {
		s += "; first: " + r.First
	}
	return s
}

func checkTally(calls []simulator.Call, cfg TallyConfig, pushed *sync.Map) Report {
	r := adder{Report{Chats: cfg.Chats}}
	byChat := make(map[int64][]simulator.Call, cfg.Chats)
	for _, c := range calls {
		if cfg.has(c.Chat) {
			byChat[c.Chat] = append(byChat[c.Chat], c)
		}
	}
	var times []time.Duration
	for i := range cfg.Chats {
		chat := cfg.First + int64(i)
		times = append(times, r.add(chat, byChat[chat], cfg.Texts, pushed)...)
	}
	if len(times) > 0 {
		slices.Sort(times)
		r.P50, r.P99, r.Max = times[len(times)/2], times[len(times)*99/100], times[len(times)-1]
	}
	return r.Report
}

// adder makes a report.
type adder struct{ Report }

// add checks one chat: exactly reply 0 to n, once each, in order. It returns how long
// each took.
func (r *adder) add(chat int64, calls []simulator.Call, n int, pushed *sync.Map) (times []time.Duration) {
	seen := make(map[int]simulator.Call, n)
	last := -1
	var at time.Time
	for _, c := range calls {
		r.Replies++
		k := tallyNumber(c.Text)
		if k > n || k > 0 && c.Text != tallyReply(k) {
			r.Disordered++
			r.note("chat %d: %q is no reply to what was said", chat, c.Text)
			continue
		}
		earlier, again := seen[k]
		seen[k] = c
		if again {
			r.repeat(chat, earlier, c)
			continue
		}
		if k < last {
			r.Disordered++
			r.note("chat %d: %q came after reply %d", chat, c.Text, last)
		}
		last = max(last, k)
		if !at.IsZero() {
			r.Silence = max(r.Silence, c.At.Sub(at))
		}
		at = c.At
		if said, ok := pushed.Load(tallyKey{chat, k}); ok {
			times = append(times, c.At.Sub(said.(time.Time)))
		}
	}
	for k := range n + 1 {
		if _, ok := seen[k]; !ok {
			r.Lost++
			r.note("chat %d: no reply %d", chat, k)
		}
	}
	return times
}

// repeat counts a reply that came again, by what became of the caller before.
func (r *adder) repeat(chat int64, earlier, c simulator.Call) {
	switch {
	case earlier.Gone:
		r.Excused++
	case earlier.Stop > 0:
		r.Window++
		for len(r.Windows) < earlier.Stop {
			r.Windows = append(r.Windows, 0)
		}
		r.Windows[earlier.Stop-1]++
	default:
		r.Repeated++
		left := "stayed"
		if !earlier.Closed.IsZero() {
			left = "hung up " + earlier.Closed.Sub(earlier.At).String() + " after"
		}
		r.note("chat %d: %q came again %v later; its first caller %s", chat, c.Text, c.At.Sub(earlier.At), left)
	}
}

func (r *adder) note(format string, args ...any) {
	if len(r.Details) < 50 {
		r.Details = append(r.Details, fmt.Sprintf(format, args...))
		r.First = r.Details[0]
	}
}

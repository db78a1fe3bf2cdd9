package mimic

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Report adds up what chats were answered. All zero but Chats and Replies is what
// should come of it.
type Report struct {
	Chats      int
	Replies    int
	Lost       int // replies that never came
	Repeated   int // replies that came again though the caller was there to hear the first
	Excused    int // replies that came again because the caller was gone before the answer
	Window     int // replies that came again because the caller died or froze before it had written the answer down
	Disordered int
	First      string // the first thing that is wrong, for a person
}

// Clean tells that nothing is wrong.
func (r *Report) Clean() bool { return r.Lost+r.Repeated+r.Disordered == 0 }

// SendTally lets each chat begin /tally and say n texts.
func (t *Telegram) SendTally(first int64, chats, n int) {
	for c := range chats {
		t.Say(first+int64(c), "Ann", "/tally")
	}
	for i := range n {
		for c := range chats {
			t.Say(first+int64(c), "Ann", "text "+strconv.Itoa(i+1))
		}
	}
}

// TallyDone tells whether each chat has had its last reply.
func TallyDone(first int64, chats, n int) func([]Call) bool {
	last := strconv.Itoa(n) + ". text " + strconv.Itoa(n)
	done, read := make(map[int64]bool, chats), 0
	return func(calls []Call) bool {
		for _, c := range calls[read:] {
			if c.Method == "sendMessage" && c.Text == last && c.Chat >= first && c.Chat < first+int64(chats) {
				done[c.Chat] = true
			}
		}
		read = len(calls)
		return len(done) == chats
	}
}

// CheckTally adds up the replies to SendTally.
func (t *Telegram) CheckTally(first int64, chats, n int) *Report {
	byChat := make(map[int64][]Call)
	for _, c := range t.Calls() {
		number, _, ok := strings.Cut(c.Text, ". ")
		if _, err := strconv.Atoi(number); ok && err == nil && c.Method == "sendMessage" {
			byChat[c.Chat] = append(byChat[c.Chat], c)
		}
	}
	r := &Report{Chats: chats}
	for c := range chats {
		r.add(first+int64(c), byChat[first+int64(c)], n)
	}
	return r
}

// add checks one chat: exactly "1. text 1" to "n. text n", once, in order.
func (r *Report) add(chat int64, calls []Call, n int) {
	seen := make(map[string]Call, n)
	last := 0
	for _, c := range calls {
		r.Replies++
		if before, again := seen[c.Text]; again {
			switch {
			case before.Gone:
				r.Excused++
			case before.Unheard:
				r.Window++
			default:
				r.Repeated++
				r.note("chat %d: %q came twice", chat, c.Text)
			}
			seen[c.Text] = c
			continue
		}
		seen[c.Text] = c
		number, _, _ := strings.Cut(c.Text, ". ")
		k, _ := strconv.Atoi(number)
		if k < last || c.Text != fmt.Sprintf("%d. text %d", k, k) {
			r.Disordered++
			r.note("chat %d: %q after %d", chat, c.Text, last)
		}
		last = max(last, k)
	}
	for k := 1; k <= n; k++ {
		if _, ok := seen[fmt.Sprintf("%d. text %d", k, k)]; !ok {
			r.Lost++
			r.note("chat %d: no reply %d", chat, k)
		}
	}
}

func (r *Report) note(format string, args ...any) {
	if r.First == "" {
		r.First = fmt.Sprintf(format, args...)
	}
}

func (r *Report) String() string {
	s := fmt.Sprintf("%d chats, %d replies: %d lost, %d repeated, %d excused, %d in the window, %d out of order",
		r.Chats, r.Replies, r.Lost, r.Repeated, r.Excused, r.Window, r.Disordered)
	if r.First != "" {
		s += "; first: " + r.First
	}
	return s
}

// Unheard marks the calls that were executed since then: their caller died or
// froze, and may have had the answer without having written it down.
func (t *Telegram) Unheard(since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.calls {
		if !t.calls[i].At.Before(since) {
			t.calls[i].Unheard = true
		}
	}
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/internal/simulator"
)

func scripts() map[string][]string {
	return map[string][]string{
		"Ann":   {"/start", "Ann", "29"},
		"Ben":   {"/order", "a few", "3"},
		"Cleo":  {"/feedback", "5", "quick and friendly"},
		"Dan":   {"/tally", "apples", "pears", "plums", "/stop"},
		"Elena": {"/help"},
	}
}

// demo lets all people talk at once and prints what each saw.
func (h *house) demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the demo got no answer within a minute"))
	defer cancel()
	names := []string{"Ann", "Ben", "Cleo", "Dan", "Elena"}
	seen := make([][]string, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		g.Go(func() (err error) {
			seen[i], err = h.play(ctx, int64(101+i), name, scripts()[name])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		h.p.Printf("--- %s\n%s\n", name, strings.Join(seen[i], "\n"))
	}
	return nil
}

func (h *house) play(ctx context.Context, user int64, name string, lines []string) ([]string, error) {
	var seen []string
	for i, line := range lines {
		h.telegram.Say(user, name, line)
		seen = append(seen, "> "+line)
		var answer string
		err := h.telegram.Await(ctx, func(calls []simulator.Call) bool {
			told := textsTo(user, calls)
			if len(told) > i {
				answer = told[i]
			}
			return len(told) > i
		})
		if err != nil {
			return nil, fmt.Errorf("%s said %q: %w", name, line, err)
		}
		seen = append(seen, "< "+answer)
	}
	return seen, nil
}

func textsTo(user int64, calls []simulator.Call) []string {
	var texts []string
	for _, c := range calls {
		if c.Method == "sendMessage" && c.Chat == user {
			texts = append(texts, c.Text)
		}
	}
	return texts
}

func (h *house) chat(ctx context.Context) error {
	h.p.Printf("A chat with the bundled bot; begin with /help. /users 2 makes you the second person, Ctrl-D ends it.\n")
	talk := &talk{user: 1}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go h.follow(ctx, talk)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(h.p.Stdin); in.Scan(); {
			select {
			case lines <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, open := <-lines:
			if !open {
				return h.settle(ctx, talk)
			}
			if n, ok := strings.CutPrefix(line, "/users "); ok {
				h.switchTo(talk, n)
			} else if line != "" {
				h.telegram.Say(talk.current(), "Person "+strconv.FormatInt(talk.current(), 10), line)
			}
		}
	}
}

// settle waits, at the end of the input, until Telegram has delivered all and the broker holds none of it.
// What takes longer goes on in the next session.
func (h *house) settle(ctx context.Context, t *talk) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	defer func() { h.show(t, h.telegram.Calls()) }()
	if err := h.telegram.Idle(ctx); err != nil {
		return nil
	}
	conn, err := h.connect(ctx, true)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if d, err := conn.Depth(ctx); err == nil && d.Queued == 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *house) switchTo(t *talk, n string) {
	user, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
	if err != nil || user < 1 {
		h.p.Printf("%q is no person; say /users 1, /users 2 and so on\n", n)
		return
	}
	t.become(user)
	h.p.Printf("you are person %d\n", user)
}

func (h *house) follow(ctx context.Context, t *talk) {
	for {
		var all []simulator.Call
		err := h.telegram.Await(ctx, func(calls []simulator.Call) bool {
			all = append(all[:0], calls...)
			return len(calls) > t.printed()
		})
		if err != nil {
			return
		}
		h.show(t, all)
	}
}

func (h *house) show(t *talk, calls []simulator.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.shown < len(calls); t.shown++ {
		if c := calls[t.shown]; c.Method == "sendMessage" {
			h.p.Printf("[%d] %s\n", c.Chat, c.Text)
		}
	}
}

type talk struct {
	mu    sync.Mutex
	user  int64
	shown int
}

func (t *talk) current() int64 { t.mu.Lock(); defer t.mu.Unlock(); return t.user }
func (t *talk) become(u int64) { t.mu.Lock(); defer t.mu.Unlock(); t.user = u }
func (t *talk) printed() int   { t.mu.Lock(); defer t.mu.Unlock(); return t.shown }

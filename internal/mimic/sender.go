package mimic

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// WebhookConfig says where updates go, and how.
type WebhookConfig struct {
	Targets        []string // URLs with their path; taken in turn, as a load balancer would
	Secret         string
	MaxConnections int     // 0 means 40
	Twice          float64 // the share of updates that are sent a second time
	Seed           uint64
	// RetryBase is the wait before the third try, then doubled up to 64 times of it;
	// the second comes at once. 0 means Telegram's own 2 s.
	RetryBase time.Duration
}

// sender delivers by Telegram's rules: one request in flight per queue, the next
// only after a 2xx, queues in parallel up to MaxConnections.
type sender struct {
	cfg    WebhookConfig
	client *http.Client
	slots  chan struct{}

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // the life of the sender, between Deliver's start and end
	queues  map[string][][]byte
	left    int
	turn    int
	random  *rand.Rand
	idle    chan struct{} // closed while nothing is left
	workers sync.WaitGroup
}

// Deliver sends updates to a webhook until ctx ends. Updates pushed before and
// while it runs are delivered; it returns when no request is in flight.
func (t *Telegram) Deliver(ctx context.Context, cfg WebhookConfig) {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = 40
	}
	if cfg.RetryBase == 0 {
		cfg.RetryBase = 2 * time.Second
	}
	s := &sender{
		cfg: cfg, ctx: ctx, queues: make(map[string][][]byte), slots: make(chan struct{}, cfg.MaxConnections),
		random: rand.New(rand.NewPCG(cfg.Seed, 1)), //nolint:gosec // reproducible on purpose
		idle:   make(chan struct{}),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			MaxIdleConnsPerHost: cfg.MaxConnections, MaxConnsPerHost: 2 * cfg.MaxConnections, DisableCompression: true,
		}},
	}
	close(s.idle)
	t.mu.Lock()
	t.hook = s
	for _, p := range t.polled {
		s.push(queueOf("", p.body), p.body)
	}
	t.polled = nil
	t.mu.Unlock()
	<-ctx.Done()
	s.workers.Wait()
	s.client.CloseIdleConnections()
	t.mu.Lock()
	t.hook = nil
	t.mu.Unlock()
}

// Delivered waits until every update has been answered with 2xx.
func (t *Telegram) Delivered(ctx context.Context) error {
	t.mu.Lock()
	s := t.hook
	t.mu.Unlock()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *sender) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// push appends to a queue and starts its worker if it has none.
func (s *sender) push(queue string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	if s.left == 0 {
		s.idle = make(chan struct{})
	}
	q, busy := s.queues[queue]
	s.queues[queue] = append(q, body)
	s.left++
	if s.random.Float64() < s.cfg.Twice {
		s.queues[queue] = append(s.queues[queue], body)
		s.left++
	}
	if !busy {
		s.workers.Go(func() { s.work(queue) })
	}
}

// work delivers one queue until it is empty.
func (s *sender) work(queue string) {
	for {
		s.mu.Lock()
		q := s.queues[queue]
		if len(q) == 0 {
			delete(s.queues, queue)
			s.mu.Unlock()
			return
		}
		body := q[0]
		s.mu.Unlock()
		if !s.deliver(body) {
			return
		}
		s.mu.Lock()
		s.queues[queue] = s.queues[queue][1:]
		if s.left--; s.left == 0 {
			close(s.idle)
		}
		s.mu.Unlock()
	}
}

// deliver tries until a 2xx: again at once, then after 2, 4, 8 ... 64 s, or as
// Retry-After says. False means that the sender ends.
func (s *sender) deliver(body []byte) bool {
	wait := time.Duration(0)
	for {
		ok, after := s.send(body)
		if ok {
			return true
		}
		pause := wait
		if after > 0 {
			pause = after
		} else {
			wait = min(max(2*wait, s.cfg.RetryBase), 64*s.cfg.RetryBase)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.ctx.Done():
			t.Stop()
			return false
		}
	}
}

// send makes one request.
func (s *sender) send(body []byte) (ok bool, retryAfter time.Duration) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return false, 0
	}
	s.mu.Lock()
	s.turn++
	target := s.cfg.Targets[s.turn%len(s.cfg.Targets)]
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false, 0
	}
	req.Header.Set("X-Telegram-Bot-Api-Secret-Token", s.cfg.Secret)
	req.Header.Set("Content-Type", "application/json")
	req.Header["User-Agent"] = nil
	resp, err := s.client.Do(req)
	if err != nil {
		return false, 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode/100 == 2 {
		return true, 0
	}
	n, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		return false, 0
	}
	return false, time.Duration(min(max(n, 0), 3600)) * time.Second
}

// queueOf is Telegram's webhook queue: messages by chat, callback queries by user,
// inline queries by user, everything else by type and whoever it names first.
func queueOf(updateType string, body []byte) string {
	var u map[string]json.RawMessage
	if json.Unmarshal(body, &u) != nil {
		return ""
	}
	for name, payload := range u {
		if name == "update_id" {
			continue
		}
		var p struct {
			Chat struct{ ID int64 } `json:"chat"`
			From struct{ ID int64 } `json:"from"`
			User struct{ ID int64 } `json:"user"`
		}
		_ = json.Unmarshal(payload, &p) // what it cannot read stays 0: one queue for all of those
		switch name {
		case "message", "edited_message", "channel_post", "edited_channel_post":
			return "c" + strconv.FormatInt(p.Chat.ID, 10)
		case "my_chat_member", "message_reaction", "message_reaction_count", "chat_boost", "removed_chat_boost",
			"business_message", "edited_business_message", "deleted_business_messages", "guest_message":
			return name + strconv.FormatInt(p.Chat.ID, 10)
		}
		return name + strconv.FormatInt(p.From.ID+p.User.ID, 10)
	}
	return updateType
}

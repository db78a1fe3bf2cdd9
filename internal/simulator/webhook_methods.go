package simulator

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// setWebhook does nothing if nothing would change.
func setWebhook(_ context.Context, r *request) (any, error) {
	if until := r.bot.lastSet.Add(time.Second); time.Now().Before(until) {
		return nil, tooMany(1)
	}
	old := r.bot.box.config()
	cfg := old
	cfg.URL, cfg.Secret = r.params["url"], r.params["secret_token"]
	cfg.MaxConnections = 40
	if n := r.params.number("max_connections"); n > 0 {
		cfg.MaxConnections = int(min(n, 100_000))
	}
	if r.params["allowed_updates"] != "" && !r.params.list("allowed_updates", &cfg.AllowedUpdates) {
		return nil, badRequest("can't parse allowed updates JSON object")
	}
	if cfg.URL == "" {
		cfg.Targets = nil
	} else if u, err := url.Parse(cfg.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, badRequest("bad webhook: an HTTPS URL must be provided for webhook")
	}
	if strings.ContainsFunc(cfg.Secret, notSecret) || len(cfg.Secret) > 256 {
		return nil, badRequest("secret token contains unallowed characters")
	}
	drop := r.params.flag("drop_pending_updates")
	same := old.URL == cfg.URL && old.Secret == cfg.Secret && old.MaxConnections == cfg.MaxConnections &&
		slices.Equal(old.AllowedUpdates, cfg.AllowedUpdates)
	if same && !drop {
		return true, nil
	}
	r.bot.lastSet = time.Now()
	r.bot.box.setWebhook(&cfg, drop)
	return true, nil
}

func notSecret(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
}

func deleteWebhook(_ context.Context, r *request) (any, error) {
	cfg := r.bot.box.config()
	cfg.URL, cfg.Targets = "", nil
	r.bot.box.setWebhook(&cfg, r.params.flag("drop_pending_updates"))
	return true, nil
}

type webhookInfo struct {
	URL            string   `json:"url"`
	Certificate    bool     `json:"has_custom_certificate"`
	Pending        int      `json:"pending_update_count"`
	LastErrorDate  int64    `json:"last_error_date,omitempty"`
	LastError      string   `json:"last_error_message,omitempty"`
	MaxConnections int      `json:"max_connections,omitempty"`
	Allowed        []string `json:"allowed_updates,omitempty"`
}

func getWebhookInfo(_ context.Context, r *request) (any, error) {
	box := r.bot.box
	box.mu.Lock()
	defer box.mu.Unlock()
	h := box.webhook
	info := webhookInfo{URL: h.cfg.URL, Pending: box.left, Allowed: h.cfg.AllowedUpdates}
	if info.URL != "" {
		info.MaxConnections = h.cfg.MaxConnections
	}
	if h.lastError != "" {
		info.LastErrorDate, info.LastError = h.failedAt.Unix(), h.lastError
	}
	return info, nil
}

// getUpdates confirms what is below the offset and waits for an update. A second call ends a waiting one.
func getUpdates(ctx context.Context, r *request) (any, error) {
	b := r.bot
	if b.box.config().URL != "" {
		return nil, conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
	}
	replaced := b.takePoll()
	if kinds := []string(nil); r.params.list("allowed_updates", &kinds) {
		b.box.allow(kinds)
	}
	offset, limit := r.params.number("offset"), 100
	if n := r.params.number("limit"); n > 0 {
		limit = int(min(n, 100))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(min(r.params.number("timeout"), 50))*time.Second)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-replaced:
			cancel()
		case <-stop:
		}
	}()
	batch := []json.RawMessage{}
	_ = b.box.news.until(ctx, func() bool { // an error means the timeout: an empty answer
		batch = append(batch[:0], b.box.confirm(offset, limit)...)
		return len(batch) > 0
	})
	select {
	case <-replaced:
		return nil, conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
	default:
		return batch, nil
	}
}

func conflict(what string) *apiError { return &apiError{code: 409, what: "Conflict: " + what} }

func (b *Bot) takePoll() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.poll != nil {
		close(b.poll)
	}
	b.poll = make(chan struct{})
	return b.poll
}

func (b *backlog) allow(kinds []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.webhook.cfg.AllowedUpdates = kinds
}

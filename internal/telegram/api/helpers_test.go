package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

func jsonRaw(b []byte) json.RawMessage { return b }

// book is a journal in memory.
type book struct {
	mu      sync.Mutex
	entries map[int][]byte
	fail    error
	before  func() // what happens before an entry is stored
}

func newBook() *book { return &book{entries: map[int][]byte{}} }

func (b *book) Recall(index int) ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[index]
	return e, ok
}

func (b *book) Record(ctx context.Context, index int, entry []byte) error {
	if b.before != nil {
		b.before()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(b.fail, ctx.Err()); err != nil {
		return err
	}
	b.entries[index] = entry
	return nil
}

// loaded is what the next attempt's session has of the journal.
func (b *book) loaded() *book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &book{entries: maps.Clone(b.entries)}
}

func text(chat int, s string) map[string]any { return map[string]any{"chat_id": chat, "text": s} }

var _ api.Journal = (*book)(nil)

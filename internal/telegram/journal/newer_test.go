package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

type entries map[int][]byte

func (e entries) Recall(index int) ([]byte, bool) {
	raw, ok := e[index]
	return raw, ok
}

func (e entries) Record(_ context.Context, index int, entry []byte) error {
	e[index] = entry
	return nil
}

// A step that a newer release may have done is not done again by an older one.
func TestStepWaitsWhereTheJournalIsNewer(t *testing.T) {
	j := &journal.Journal{Store: entries{0: []byte("\x03r0123456789abcdef")}, Metrics: journal.NewMetrics(nil)}
	for range 2 {
		_, err := j.Step(t.Context(), "charge", func(context.Context) (json.RawMessage, error) {
			t.Error("charged")
			return nil, nil
		})
		if !errors.Is(err, journal.ErrNewer) {
			t.Errorf("error %v, want ErrNewer", err)
		}
	}
}

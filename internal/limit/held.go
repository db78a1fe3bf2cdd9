package limit

import (
	"context"
	"fmt"
	"time"
)

// Held tells which of these bots Telegram has told to wait with messages, and for how long from now. Chats that
// wait alone are not in it.
func (s *shared) Held(ctx context.Context, bots []int64) (map[int64]time.Duration, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("ask for bots that are held back: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, now := make(map[int64]time.Duration), time.Now()
	for _, bot := range bots {
		if left := s.left(call{bot: bot, kind: Message}, now); left > 0 {
			held[bot] = left
		}
	}
	return held, nil
}

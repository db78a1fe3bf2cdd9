package memstore

import (
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

type seen struct {
	order []int64 // as committed
	at    map[int64]time.Time
}

func (s *seen) has(p fsm.Position, window time.Duration) bool {
	at, known := s.at[p.Update]
	return known && p.Update != 0 && !at.Before(p.Stored.Add(-window))
}

func (s *seen) add(p fsm.Position, cfg Config) {
	if p.Update == 0 {
		return
	}
	if s.at == nil {
		s.at = make(map[int64]time.Time)
	}
	if _, known := s.at[p.Update]; !known {
		s.order = append(s.order, p.Update)
	}
	s.at[p.Update] = p.Stored
	for len(s.order) > cfg.SeenMax || len(s.order) > 0 && s.at[s.order[0]].Before(p.Stored.Add(-cfg.SeenWindow)) {
		delete(s.at, s.order[0])
		s.order = s.order[1:]
	}
}

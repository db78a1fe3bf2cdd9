// Package queue carries updates from ingress to the one worker that owns their
// partition, through JetStream, in order and without loss.
package queue

import (
	"time"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Update is one Telegram update on its way: the bytes that arrived, and what
// ingress read of them.
type Update struct {
	ID        int64  // Telegram's update_id; 0 where there is none (a timer)
	Type      string // "message", "callback_query", ...
	Scope     lane.Scope
	Lane      lane.Key
	Partition partition.ID
	Received  time.Time // when ingress had read it
	Body      []byte    // raw JSON, untouched
}

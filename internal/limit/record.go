package limit

import (
	"encoding/json"
	"slices"
	"time"
)

// record is what the bucket keeps of one bot or one chat. All times are the broker's.
type record struct {
	Full    [6]time.Time         `json:"full"`              // by rate: when its bucket is full again
	Senders map[string]time.Time `json:"senders,omitempty"` // of a bot: worker -> its last message
}

// reserve takes the next place of each rate, and says how long until all are there.
func (r *record) reserve(rates rates, now time.Time) (left time.Duration) {
	for i, rate := range rates {
		if rate.n == 0 {
			continue
		}
		next, wait := rate.reserve(r.Full[i], now)
		r.Full[i], left = next, max(left, wait)
	}
	return left
}

// senderAge is how long a worker counts as a sender after its last message.
const senderAge = 10 * time.Second

func (r *record) sent(worker string, now time.Time) {
	next := map[string]time.Time{worker: now.Truncate(time.Second)}
	for other, last := range r.Senders {
		if other != worker && now.Sub(last) < senderAge {
			next[other] = last
		}
	}
	r.Senders = next
}

// past is the time from which on the record means nothing.
func (r *record) past() time.Time {
	return slices.MaxFunc(r.Full[:], time.Time.Compare)
}

func (r *record) encode() []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // times, numbers and strings always encode
	}
	return raw
}

// decode returns an empty record for an unreadable one: what it limited begins anew, and the next write replaces it.
func decode(raw []byte) (r record) {
	if json.Unmarshal(raw, &r) != nil {
		return record{}
	}
	return r
}

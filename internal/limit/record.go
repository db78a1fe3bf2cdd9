package limit

import (
	"encoding/json"
	"slices"
	"time"
)

// record is what the bucket keeps of one bot or one chat. All times are the broker's.
type record struct {
	Full    [3]time.Time `json:"full"`             // by rate: when its bucket is full again
	Blocked time.Time    `json:"blocked,omitzero"` // nothing goes until then

	// Of a bot.
	RefusedSince time.Time            `json:"refused_since,omitzero"`
	Refused      []int64              `json:"refused,omitempty"` // chats told to wait since then
	Senders      map[string]time.Time `json:"senders,omitempty"` // worker -> its last message
}

func (r *record) reserve(rates [3]rate, now time.Time) (left time.Duration) {
	for i, rate := range rates {
		if rate.n == 0 {
			continue
		}
		next, wait := rate.reserve(r.Full[i], now)
		r.Full[i], left = next, max(left, wait)
	}
	return left
}

// block never shortens a block.
func (r *record) block(until time.Time) (longer bool) {
	if !until.After(r.Blocked) {
		return false
	}
	r.Blocked = until
	return true
}

func (r *record) refused(chat int64, now time.Time) int {
	if now.Sub(r.RefusedSince) > time.Second {
		r.RefusedSince, r.Refused = now, nil
	}
	if !slices.Contains(r.Refused, chat) {
		r.Refused = append(slices.Clip(r.Refused), chat)
	}
	return len(r.Refused)
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
	last := r.Blocked
	for _, t := range r.Full {
		if t.After(last) {
			last = t
		}
	}
	return last
}

func (r *record) encode() []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // times, numbers and strings always encode
	}
	return raw
}

// decode gives an empty record for an unreadable one, which the next write replaces.
func decode(raw []byte) (r record) {
	if json.Unmarshal(raw, &r) != nil {
		return record{}
	}
	return r
}

package simulator

import (
	"fmt"
	"testing"
	"time"
)

func TestEveryTypeHasItsQueueAndTime(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	const step = 1 << 33
	hour := now.Add(-time.Hour).Unix()
	dated := 23 * time.Hour // what is left of the day
	for _, c := range []struct {
		kind, payload string
		queue         int64
		left          time.Duration
	}{
		{"message", `{"date":%d,"chat":{"id":-5},"from":{"id":7}}`, -5, dated},
		{"edited_message", `{"date":%d,"chat":{"id":-5}}`, -5, dated},
		{"channel_post", `{"date":%d,"chat":{"id":-5}}`, -5, dated},
		{"edited_channel_post", `{"date":%d,"chat":{"id":-5}}`, -5, dated},
		{"inline_query", `{"x":%d,"id":"1","from":{"id":7}}`, 7 + step, 30 * time.Second},
		{"chosen_inline_result", `{"x":%d,"from":{"id":7}}`, 7 + 2*step, 10 * time.Minute},
		{"callback_query", `{"x":%d,"id":"1","from":{"id":7},"message":{"chat":{"id":-5}}}`, 7 + 3*step, 150 * time.Second},
		{"shipping_query", `{"x":%d,"from":{"id":7}}`, 7 + 4*step, 150 * time.Second},
		{"pre_checkout_query", `{"x":%d,"from":{"id":7}}`, 7 + 4*step, 150 * time.Second},
		{"my_chat_member", `{"date":%d,"chat":{"id":-5},"from":{"id":7}}`, -5 + 5*step, dated},
		{"chat_member", `{"date":%d,"chat":{"id":-5},"from":{"id":7},"new_chat_member":{"user":{"id":8}}}`, 8 + 6*step, dated},
		{"chat_join_request", `{"date":%d,"chat":{"id":-5},"from":{"id":7}}`, 7 + 6*step, dated},
		{"chat_boost", `{"boost":{"add_date":%d},"chat":{"id":-5}}`, -5 + 7*step, dated},
		{"removed_chat_boost", `{"remove_date":%d,"chat":{"id":-5}}`, -5 + 7*step, dated},
		{"message_reaction", `{"date":%d,"chat":{"id":-5},"user":{"id":7}}`, -5 + 8*step, dated},
		{"message_reaction_count", `{"date":%d,"chat":{"id":-5}}`, -5 + 9*step, dated},
		{"business_connection", `{"x":%d,"id":"abc","user":{"id":7}}`, 7 + 10*step, day},
		{"business_message", `{"date":%d,"chat":{"id":9},"business_connection_id":"abc"}`, 9 + 11*step, day},
		{"edited_business_message", `{"date":%d,"chat":{"id":9}}`, 9 + 11*step, day},
		{"deleted_business_messages", `{"x":%d,"chat":{"id":9}}`, 9 + 11*step, day},
		{"guest_message", `{"date":%d,"chat":{"id":9}}`, 9 + 12*step, dated},
		{"purchased_paid_media", `{"x":%d,"from":{"id":7}}`, 7 + 12*step, day},
		{"managed_bot", `{"x":%d,"user":{"id":7}}`, 7 + 13*step, day},
		{"poll", `{"x":%d,"id":"1234"}`, 1234, day},
		{"poll_answer", `{"x":%d,"poll_id":"1234","user":{"id":7}}`, 1234, day},
		{"stopped_message_generation", `{"x":%d,"chat":{"id":-5}}`, ownQueue + 99, day},
		{"subscription", `{"x":%d,"user":{"id":7}}`, ownQueue + 99, day},
	} {
		p := probeOf(fmt.Appendf(nil, c.payload, hour))
		queue, expires := route(c.kind, &p, 99, now)
		if queue != c.queue || expires.Sub(now) != c.left {
			t.Errorf("%s: queue %d, %v; want %d, %v", c.kind, queue, expires.Sub(now), c.queue, c.left)
		}
	}
}

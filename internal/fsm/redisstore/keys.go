package redisstore

import (
	"strconv"

	"github.com/chatlane/chatlane/internal/fsm"
)

// names are the Redis keys of one session. Keys of one home share a hash tag: one script may use them on a cluster.
type names struct {
	lane, journal, seen, lock string
	state, stateLock          string // empty if the update has no state
}

func newNames(prefix string, k fsm.Keys) names {
	lane := prefix + ":{" + k.Home + "}:lane:" + k.Lane
	n := names{lane: lane, journal: lane + ":journal", seen: lane + ":seen", lock: lane + ":lock"}
	if k.State != "" {
		n.state = prefix + ":{" + k.StateHome + "}:state:" + k.State
		n.stateLock = n.state + ":lock"
	}
	return n
}

func itoa(n int64) string  { return strconv.FormatInt(n, 10) }
func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

func spaced(ids []int64) string {
	var b []byte
	for _, id := range ids {
		b = append(strconv.AppendInt(b, id, 10), ' ')
	}
	return string(b)
}

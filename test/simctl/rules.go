package simctl

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
)

// Rule is a fault for some of the calls. The first rule that hits decides.
type Rule struct {
	Method string  // empty: every method
	Chat   int64   // 0: every chat
	Rate   float64 // share of the calls that it hits; 0 means all
	Skip   int     // calls of each chat and method that go well before
	Times  int     // how many calls of each chat and method it hits at most; 0: no limit
	Fault  simulator.Fault
	// Spread makes the latency a random one, evenly between Fault.Latency and that
	// plus Spread.
	Spread time.Duration
}

// Faults is for [simulator.Telegram.Faults]. The seed, the chat, the method and the
// number of such calls before decide: the same calls in any interleaving meet the same
// faults.
func Faults(seed uint64, rules ...Rule) func(method string, chat int64) simulator.Fault {
	f := &faults{seed: seed, rules: rules, calls: make(map[faultKey]int), hits: make(map[faultKey]int)}
	return f.next
}

type faults struct {
	seed  uint64
	rules []Rule

	mu    sync.Mutex
	calls map[faultKey]int // so far, by method and chat
	hits  map[faultKey]int // so far, by rule, method and chat
}

type faultKey struct {
	rule   int
	method string
	chat   int64
}

func (f *faults) next(method string, chat int64) simulator.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := faultKey{-1, strings.ToLower(method), chat}
	nth := f.calls[key]
	f.calls[key]++
	for i, r := range f.rules {
		key.rule = i
		chance := f.chance(key, nth)
		if !f.hit(r, key, nth, chance) {
			continue
		}
		f.hits[key]++
		if r.Spread > 0 {
			r.Fault.Latency += time.Duration(chance.Int64N(int64(r.Spread)))
		}
		return r.Fault
	}
	return simulator.Fault{}
}

func (f *faults) hit(r Rule, key faultKey, nth int, chance *rand.Rand) bool {
	return (r.Method == "" || strings.EqualFold(r.Method, key.method)) &&
		(r.Chat == 0 || r.Chat == key.chat) &&
		nth >= r.Skip && (r.Times == 0 || f.hits[key] < r.Times) &&
		(r.Rate == 0 || chance.Float64() < r.Rate)
}

func (f *faults) chance(key faultKey, nth int) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, key.rule, key.method, key.chat, nth)
	return rand.New(rand.NewPCG(f.seed, h.Sum64()))
}

package simulator

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Fault is what goes wrong with one call. The zero value: nothing.
type Fault struct {
	Latency    time.Duration // before executing; the call is executed even if the caller leaves
	Hang       time.Duration // before executing; a caller that leaves meanwhile has done nothing
	HangUp     bool          // read the request, then close the connection without executing
	Status     int           // 429, 500, 502 (with an HTML page) ... instead of executing
	RetryAfter int           // seconds, with 429
	Withhold   time.Duration // after executing, before answering
	LoseAnswer bool          // execute, then close the connection
}

// Rule is a fault for some of the calls. The first rule that hits decides.
type Rule struct {
	Method string  // empty: every method
	Chat   int64   // 0: every chat
	Rate   float64 // share of the calls that it hits; 0 means all
	Skip   int     // calls of each chat and method that go well before
	Times  int     // how many calls of each chat and method it hits at most; 0: no limit
	Fault  Fault
	// Spread makes the latency a random one, evenly between Fault.Latency and that
	// plus Spread.
	Spread time.Duration
}

// faults decides what goes wrong, by the seed, the chat, the method and how many such
// calls there were before: the same calls in any interleaving meet the same faults.
type faults struct {
	seed uint64

	mu    sync.Mutex
	ask   func(method string, chat int64) Fault
	rules []Rule
	seen  map[faultKey]int // calls so far, by method and chat
	hits  map[faultKey]int // hits so far, by rule, method and chat
}

type faultKey struct {
	rule   int
	method string
	chat   int64
}

// Faults asks f, for each call from now on, what goes wrong; nil: nothing.
func (t *Telegram) Faults(f func(method string, chat int64) Fault) {
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	t.faults.ask, t.faults.rules = f, nil
}

// FaultRules sets what goes wrong from now on; without rules, nothing does. Counting
// (Skip, Times) begins anew.
func (t *Telegram) FaultRules(rules ...Rule) {
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	t.faults.ask, t.faults.rules = nil, rules
	t.faults.seen, t.faults.hits = make(map[faultKey]int), make(map[faultKey]int)
}

func (f *faults) next(method string, chat int64) Fault {
	f.mu.Lock()
	ask := f.ask
	if ask != nil {
		f.mu.Unlock()
		return ask(method, chat)
	}
	defer f.mu.Unlock()
	if len(f.rules) == 0 {
		return Fault{}
	}
	key := faultKey{-1, strings.ToLower(method), chat}
	nth := f.seen[key]
	f.seen[key]++
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
	return Fault{}
}

func (f *faults) hit(r Rule, key faultKey, nth int, chance *rand.Rand) bool {
	return (r.Method == "" || strings.EqualFold(r.Method, key.method)) &&
		(r.Chat == 0 || r.Chat == key.chat) &&
		nth >= r.Skip && (r.Times == 0 || f.hits[key] < r.Times) &&
		(r.Rate == 0 || chance.Float64() < r.Rate)
}

func (f *faults) chance(key faultKey, nth int) *rand.Rand {
	h := f.seed
	for _, c := range []byte(key.method) {
		h = (h ^ uint64(c)) * 1099511628211 // FNV-1a: the same in each process
	}
	return chance(h, uint64(key.chat), uint64(key.rule), uint64(nth))
}

// chance is a random source that depends on nothing but the numbers.
func chance(numbers ...uint64) *rand.Rand {
	var a, b uint64 = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03
	for _, n := range numbers {
		a = (a ^ n) * 0xbf58476d1ce4e5b9
		a ^= a >> 29
		b = (b + n) * 0x94d049bb133111eb
		b ^= b >> 32
	}
	return rand.New(rand.NewPCG(a, b)) //nolint:gosec // reproducible on purpose
}

package simulator

import (
	"math/rand/v2"
	"time"
)

// Fault is a failure of one call. The zero value is none.
type Fault struct {
	Latency    time.Duration // before executing; the call is executed even if the caller leaves
	Hang       time.Duration // before executing; if the caller leaves meanwhile, the call is not executed
	HangUp     bool          // read the request, then close the connection without executing
	Status     int           // 429, 500, 502 (with an HTML page) ... instead of executing
	RetryAfter int           // seconds, with 429
	Withhold   time.Duration // after executing, before answering
	LoseAnswer bool          // execute, then close the connection
}

// Faults applies f's fault to each call from now on; nil means none. f must be safe for concurrent use.
func (t *Telegram) Faults(f func(method string, chat int64) Fault) {
	if f == nil {
		f = func(string, int64) Fault { return Fault{} }
	}
	t.faults.Store(&f)
}

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

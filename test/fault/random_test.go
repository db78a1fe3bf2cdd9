package fault

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testport"
	"github.com/chatlane/chatlane/test/harness"
)

var (
	randomFor  = flag.Duration("random", 0, "how long TestRandomFaults goes on; 0 means 30 s")
	randomSeed = flag.Uint64("seed", 0, "seed of TestRandomFaults; 0 takes another one each time")
)

// TestRandomFaults injects faults of all kinds, one after the other, for as long as -random says. Its seed names the
// faults, not the moments at which the programs meet them.
func TestRandomFaults(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	w := newWorld(t, seed)
	length := *randomFor
	if length == 0 {
		length = 30 * time.Second
	}
	w.l.window = w.l.chats // a worker may be killed while it has no Redis: then none of its turns has noted its last call
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		w.step()
	}
	w.l.finish(5 * time.Minute)
	t.Logf("faults: %v; dead, frozen or stopped workers: %d", w.count, w.l.stops)
}

// world is two workers, one of them behind proxies, and the servers, all of which may fail.
type world struct {
	t     *testing.T
	r     *harness.Rig
	rng   *rand.Rand
	l     *flow
	count map[string]int

	listen          string // of ingress
	in, plain, wire *harness.Process
	nats, redis     *harness.Proxy
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	r := harness.New(t)
	w := &world{
		t: t, r: r, rng: rand.New(rand.NewPCG(seed, 0)), count: make(map[string]int),
		listen: testport.Addr(t), nats: harness.NewProxy(t, strings.TrimPrefix(r.NATSURL(), "nats://")), redis: harness.NewProxy(t, r.Redis.Addr),
	}
	in, hook := r.Ingress("CHATLANE_LISTEN=" + w.listen)
	w.in, w.plain, w.wire = in, r.Worker(), w.proxied()
	w.l = begin(t, r, "http://"+w.listen+hook[strings.Index(hook, "/webhook"):])
	return w
}

func (w *world) proxied() *harness.Process {
	return w.r.Worker("CHATLANE_NATS_URL=nats://"+w.nats.Addr, "CHATLANE_REDIS_URL=redis://"+w.redis.Addr+"/0")
}

// step waits a moment, injects a fault, and takes it back.
func (w *world) step() {
	w.t.Helper()
	faults := []struct {
		name string
		do   func()
	}{
		{"worker killed", func() { w.l.kill(w.plain); w.some(); w.plain = w.r.Worker() }},
		{"worker behind proxies killed", func() { w.l.kill(w.wire); w.some(); w.wire = w.proxied() }},
		{"worker stopped", func() { w.stop(); w.plain = w.r.Worker() }},
		{"worker frozen", func() { w.l.freeze(w.plain); w.some(); w.l.thaw(w.plain) }},
		{"cut from the broker", func() { w.nats.Cut(); w.some(); w.nats.Heal() }},
		{"cut from Redis", func() { w.redis.Cut(); w.some(); w.redis.Heal() }},
		{"broker killed", func() { w.r.NATS.Kill(); w.some(); w.r.StartNATS() }},
		{"broker frozen", func() { w.r.NATS.Freeze(w.t); w.some(); w.r.NATS.Thaw() }},
		{"Redis killed", func() { w.r.Redis.Stop(); w.some(); w.r.Redis.Restart() }},
		{"Redis frozen", func() { w.r.Redis.Freeze(); w.some(); w.r.Redis.Thaw() }},
		{"worker stopped without a broker", func() { w.r.NATS.Kill(); w.stop(); w.r.StartNATS(); w.plain = w.r.Worker() }},
		{"ingress killed", func() { w.in.Kill(); w.some(); w.in, _ = w.r.Ingress("CHATLANE_LISTEN=" + w.listen) }},
		{"few files", func() { w.in.Files(w.t, 64); w.some() }},
	}
	f := faults[w.rng.IntN(len(faults))]
	w.count[f.name]++
	w.some()
	f.do()
}

// some waits up to 4 s.
func (w *world) some() { wait(w.t, time.Duration(w.rng.Int64N(int64(4*time.Second)))) }

func (w *world) stop() {
	w.t.Helper()
	w.plain.Terminate()
	if code := w.plain.Exit(w.t, time.Minute); code != 0 {
		w.t.Errorf("worker exits with %d", code)
	}
}

package fault

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
)

const poisoned = first - 1 // the chat that Telegram refuses every message to

// TestPoisonousChat makes every turn of one chat fail. The other chats are answered as fast
// as without it, also those of its partition. Its updates become dead letters, and after the
// failures end its lane goes on in order.
func TestPoisonousChat(t *testing.T) {
	r := harness.New(t)
	r.Partitions = 4 // so that the chat has many neighbours
	env := []string{
		"CHATLANE_PARTITIONS=4", "CHATLANE_MIN_BACKOFF=100ms", "CHATLANE_PARK_AFTER=1s", "CHATLANE_MAX_ATTEMPTS=4",
	}
	_, hook := r.Ingress(env[0])
	r.Worker(env...)
	r.Worker(env...)
	var failing atomic.Bool
	refuse(r, &failing)
	deliver(t, r, hook)
	spell := 6 * time.Second
	if *whole {
		spell = 40 * time.Second
	}
	f := pour(t, r, 200, 2*time.Second)
	r.Telegram.Say(poisoned, "Ann", "/tally")
	wait(t, 2*time.Second)
	healthy := time.Now()
	wait(t, spell)
	awaitReply(t, r, "")
	failed := time.Now()
	failing.Store(true)
	said := sayUntil(t, r, spell)
	harness.Eventually(t, 30*time.Second, "the poisonous chat's lane is shown as parked", func() bool {
		return strings.Contains(r.Chatlane("lane", "list", "--parked"), ":c:"+strconv.Itoa(poisoned)+"\t")
	})
	recovered := time.Now()
	failing.Store(false)
	f.replied(time.Minute)

	asFast(t, f, healthy, failed, recovered)
	dead := goesOn(t, r, said)
	f.stored(f.chats*(f.texts+1)+1+said, dead)
}

// refuse makes each call of the poisonous chat fail while failing is set, with a refusal that
// another attempt may not meet: a final one would make a dead letter at once, and no lane wait.
func refuse(r *harness.Rig, failing *atomic.Bool) {
	var n atomic.Uint64
	r.Telegram.Faults(func(_ string, chat int64) simulator.Fault {
		f := simulator.Fault{Latency: time.Duration(10+n.Add(1)%20) * time.Millisecond}
		if chat == poisoned && failing.Load() {
			f.Status = http.StatusConflict
		}
		return f
	})
}

// sayUntil sends 5 texts a second from the poisonous chat, and returns their number.
func sayUntil(t *testing.T, r *harness.Rig, spell time.Duration) int {
	t.Helper()
	n := int(spell / (200 * time.Millisecond))
	for k := 1; k <= n; k++ {
		r.Telegram.Say(poisoned, "Ann", "text "+strconv.Itoa(k))
		wait(t, 200*time.Millisecond)
	}
	return n
}

// asFast compares the chats in the poisonous chat's partition with all other chats at the same
// time, and those with the time before. A busy machine slows both groups at the same time, so
// the first bound is tight; the time before may differ much, so the second one is wide.
func asFast(t *testing.T, f *flow, healthy, failed, recovered time.Time) {
	t.Helper()
	near := func(chat int) bool {
		return partitionOf(first+int64(chat), f.r.Partitions) == partitionOf(poisoned, f.r.Partitions)
	}
	far := func(chat int) bool { return !near(chat) }
	before := f.answers(healthy, failed, everyChat)
	neighbours, others := f.answers(failed, recovered, near), f.answers(failed, recovered, far)
	t.Logf("answer times without the poisonous chat: %v", before)
	t.Logf("with it, in other partitions: %v", others)
	t.Logf("with it, in its own partition: %v", neighbours)
	for _, share := range []float64{0.5, 0.99} {
		if most := 2*others.at(share) + 100*time.Millisecond; neighbours.at(share) > most {
			t.Errorf("of the neighbours %v are answered within %v, at the same time elsewhere within %v: want at most %v", share, neighbours.at(share), others.at(share), most)
		}
		if most := 2*before.at(share) + 3*time.Second; others.at(share) > most {
			t.Errorf("of the other chats %v are answered within %v, without the poisonous one within %v: want at most %v", share, others.at(share), before.at(share), most)
		}
	}
}

// goesOn checks the poisonous chat's texts: the first ones are dead letters, and the rest was
// answered in order, counting from 1. It returns the number of dead letters.
func goesOn(t *testing.T, r *harness.Rig, said int) (dead int) {
	t.Helper()
	awaitReply(t, r, "text "+strconv.Itoa(said))
	letters := strings.Split(strings.TrimSpace(r.Chatlane("dead", "list", "--chat", strconv.Itoa(poisoned))), "\n")
	dead = len(letters)
	for _, line := range letters {
		if !strings.Contains(line, "\terror\t") {
			t.Errorf("dead letter without its reason: %q", line)
		}
	}
	replies := r.Telegram.Replies(poisoned)[1:] // after the reply to /tally
	if len(replies) != said-dead {
		t.Errorf("the poisonous chat said %d texts, %d are dead letters, %d were answered", said, dead, len(replies))
	}
	for i, text := range replies {
		if want := fmt.Sprintf("%d. text %d", i+1, dead+i+1); text != want {
			t.Errorf("reply %d after the dead letters is %q, want %q", i+1, text, want)
			break
		}
	}
	t.Logf("poisonous chat: %d texts, %d dead letters, %d replies after the failures ended", said, dead, len(replies))
	return dead
}

// awaitReply waits for a reply in the poisonous chat that ends in suffix.
func awaitReply(t *testing.T, r *harness.Rig, suffix string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := r.Telegram.Await(ctx, func(calls []simulator.Call) bool {
		for _, c := range calls {
			if c.Chat == poisoned && c.Method == "sendMessage" && strings.HasSuffix(c.Text, suffix) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Errorf("the poisonous chat got no reply that ends in %q: %v", suffix, err)
	}
}

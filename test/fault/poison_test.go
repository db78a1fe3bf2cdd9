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

// TestPoisonousChat lets every turn of one chat fail. The other chats are answered
// as fast as without it, also those of its partition; its updates become dead letters;
// and once the chat is well again its lane goes on in order.
func TestPoisonousChat(t *testing.T) {
	r := harness.New(t)
	r.Partitions = 4 // so that the chat has many neighbours
	env := []string{
		"CHATLANE_PARTITIONS=4", "CHATLANE_MIN_BACKOFF=100ms", "CHATLANE_PARK_AFTER=1s", "CHATLANE_MAX_ATTEMPTS=4",
	}
	_, hook := r.Ingress(env[0])
	r.Worker(env...)
	r.Worker(env...)
	var ill atomic.Bool
	refuse(r, &ill)
	deliver(t, r, hook)
	spell := 6 * time.Second
	if *whole {
		spell = 40 * time.Second
	}
	f := pour(t, r, 200, 2*time.Second)
	r.Telegram.Say(poisoned, "Ann", "/tally")
	wait(t, 2*time.Second)
	well := time.Now()
	wait(t, spell)
	awaitReply(t, r, "")
	fell := time.Now()
	ill.Store(true)
	said := sayUntil(t, r, spell)
	harness.Eventually(t, 30*time.Second, "the poisonous chat's lane is shown as parked", func() bool {
		return strings.Contains(r.Chatlane("lane", "list", "--parked"), ":c:"+strconv.Itoa(poisoned)+"\t")
	})
	rose := time.Now()
	ill.Store(false)
	f.replied(time.Minute)

	asFast(t, f, well, fell, rose)
	dead := goesOn(t, r, said)
	f.stored(f.chats*(f.texts+1)+1+said, dead)
}

// refuse makes each call of the poisonous chat fail while it is ill.
func refuse(r *harness.Rig, ill *atomic.Bool) {
	var n atomic.Uint64
	r.Telegram.Faults(func(_ string, chat int64) simulator.Fault {
		f := simulator.Fault{Latency: time.Duration(10+n.Add(1)%20) * time.Millisecond}
		if chat == poisoned && ill.Load() {
			f.Status = http.StatusBadRequest
		}
		return f
	})
}

// sayUntil lets the poisonous chat say 5 texts a second, and gives their number.
func sayUntil(t *testing.T, r *harness.Rig, spell time.Duration) int {
	t.Helper()
	n := int(spell / (200 * time.Millisecond))
	for k := 1; k <= n; k++ {
		r.Telegram.Say(poisoned, "Ann", "text "+strconv.Itoa(k))
		wait(t, 200*time.Millisecond)
	}
	return n
}

// asFast compares the neighbours of the poisonous chat with the chats that share no
// partition with it, at the same time, and both with the time before. So what else a
// busy machine does to answer times is in both; between the times it may differ much.
func asFast(t *testing.T, f *flow, well, fell, rose time.Time) {
	t.Helper()
	near := func(chat int) bool {
		return partitionOf(first+int64(chat), f.r.Partitions) == partitionOf(poisoned, f.r.Partitions)
	}
	far := func(chat int) bool { return !near(chat) }
	before := f.answers(well, fell, everyChat)
	beside, apart := f.answers(fell, rose, near), f.answers(fell, rose, far)
	t.Logf("answer times without the poisonous chat: %v", before)
	t.Logf("with it, in other partitions: %v", apart)
	t.Logf("with it, in its own partition: %v", beside)
	for _, share := range []float64{0.5, 0.99} {
		if most := 2*apart.at(share) + 100*time.Millisecond; beside.at(share) > most {
			t.Errorf("of the neighbours %v are answered within %v, at the same time elsewhere within %v: want at most %v", share, beside.at(share), apart.at(share), most)
		}
		if most := 2*before.at(share) + 3*time.Second; apart.at(share) > most {
			t.Errorf("of the other chats %v are answered within %v, without the poisonous one within %v: want at most %v", share, apart.at(share), before.at(share), most)
		}
	}
}

// goesOn looks at what became of the poisonous chat's texts: the first ones are dead
// letters, and the rest was answered in order, counting from 1. It gives the number
// of dead letters.
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
	replies := r.Telegram.Replies(poisoned)[1:] // behind the one to /tally
	if len(replies) != said-dead {
		t.Errorf("the poisonous chat said %d texts, %d are dead letters, %d were answered", said, dead, len(replies))
	}
	for i, text := range replies {
		if want := fmt.Sprintf("%d. text %d", i+1, dead+i+1); text != want {
			t.Errorf("reply %d after the dead letters is %q, want %q", i+1, text, want)
			break
		}
	}
	t.Logf("poisonous chat: %d texts, %d dead letters, %d replies after it was well again", said, dead, len(replies))
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

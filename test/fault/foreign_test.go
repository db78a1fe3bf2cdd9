package fault

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/test/harness"
)

// TestForeignMessagesBecomeDeadLetters stores what looks like an answer of the broker's in a
// lane: 64 such messages cost 64 dead letters, and an update behind them is answered.
func TestForeignMessagesBecomeDeadLetters(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	r.Worker()
	deliver(t, r, hook)
	nc, err := nats.Connect(r.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	k := lane.Key("424242:c:" + strconv.Itoa(poisoned))
	subject := broker.LaneSubject(broker.Names{}.UpdatesPrefix(), partition.ID(partitionOf(poisoned, r.Partitions)), k)
	for range 16 {
		for _, h := range []nats.Header{
			{"Status": {"423"}}, {"Status": {"404"}}, {"Nats-Pin-Id": {"evil"}}, {"Nats-Pin-Id": {"evil"}, "Status": {"409"}},
		} {
			if _, err := js.PublishMsg(&nats.Msg{Subject: subject, Header: h}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Telegram.Say(poisoned, "Ann", "/tally")
	awaitReply(t, r, "")
	harness.Eventually(t, 30*time.Second, "64 dead letters", func() bool {
		letters := strings.Split(strings.TrimSpace(r.Chatlane("dead", "list")), "\n")
		return len(letters) == 64
	})
}

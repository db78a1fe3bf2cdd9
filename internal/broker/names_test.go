package broker_test

import (
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/broker"
)

func TestNamespaceThatIsNoPartOfANameIsRefused(t *testing.T) {
	for _, right := range []string{"", "a", "shop-2", strings.Repeat("a", 32)} {
		if err := (broker.Settings{Namespace: right}).Validate(); err != nil {
			t.Errorf("%q: %v", right, err)
		}
	}
	for _, wrong := range []string{"A", "2a", "a_b", "a.b", "a b", "a*", "-a", "{a}", strings.Repeat("a", 33), "a\n"} {
		err := broker.Settings{Namespace: wrong}.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "CHATLANE_NAMESPACE: ") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// What stands from before there were namespaces is found without one.
func TestWithoutANamespaceNamesAreWhatTheyWere(t *testing.T) {
	n := broker.NamesIn("")
	have := strings.Join([]string{
		n.Updates(), n.DeadLetters(), n.Parked(), n.Timers(), n.UpdatesPrefix(), n.DeadLettersPrefix(), n.ParkedPrefix(),
		n.TimersPrefix(), n.FiredPrefix(), n.Presence(), n.FreeLane(7), n.StateBucket(), n.LimitsBucket(), n.RedisPrefix(),
	}, " ")
	want := "UPDATES DEADLETTERS PARKED TIMERS updates. dead. parked. timers. fired. chatlane.presence chatlane.lane.free.7 chatlane_state chatlane_limits chatlane"
	if have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
}

package fault

import (
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testport"
	"github.com/chatlane/chatlane/test/harness"
)

// TestProgramsStoppedWhileTheBrokerIsAway wants both programs to end in time, as if the broker were there, and nothing
// to be repeated: what has been committed and not acknowledged is found done.
func TestProgramsStoppedWhileTheBrokerIsAway(t *testing.T) {
	const grace = 5 * time.Second
	r := harness.New(t)
	addr := "CHATLANE_LISTEN=" + testport.Addr(t)
	in, hook := r.Ingress(addr, "CHATLANE_GRACE="+grace.String())
	w := r.Worker("CHATLANE_GRACE=" + grace.String())
	hook = "http://" + strings.TrimPrefix(addr, "CHATLANE_LISTEN=") + hook[strings.Index(hook, "/webhook"):]
	l := begin(t, r, hook)
	wait(t, 2*time.Second)
	r.NATS.Kill()
	wait(t, 500*time.Millisecond)
	in.Terminate()
	w.Terminate()
	for _, p := range []*harness.Process{in, w} {
		if code := p.Exit(t, grace+5*time.Second); code != 0 {
			t.Errorf("exits with %d", code)
		}
	}
	r.StartNATS()
	r.Ingress(addr)
	r.Worker()
	if report := l.finish(90 * time.Second); report.Excused+report.Window > 0 {
		t.Errorf("a stop repeats nothing: %v", report)
	}
}

// TestBrokerUpgradedServerByServer takes each of three servers out in lame-duck mode and starts it anew.
func TestBrokerUpgradedServerByServer(t *testing.T) {
	r := harness.New(t)
	c := r.Cluster()
	_, hook := r.Ingress()
	r.Worker()
	r.Worker()
	latency(r, 20*time.Millisecond, 80*time.Millisecond)
	deliver(t, r, hook)
	l := pour(t, r, 100, 2*time.Second)
	for _, name := range c.Names() {
		wait(t, time.Second)
		c.LameDuck(name)
		wait(t, orWhole(2*time.Second, 15*time.Second))
		c.Kill(name)
		c.Restart(name)
		c.Settle()
	}
	if report := l.finish(90 * time.Second); report.Excused+report.Window > 0 {
		t.Errorf("an upgrade repeats nothing: %v", report)
	}
}

// TestBrokerSplit cuts the stream's leader off from its peers and from one worker, which knows no other server. The other
// servers elect a leader, and the other worker goes on; the one that was cut off loses its partitions.
func TestBrokerSplit(t *testing.T) {
	r := harness.New(t)
	c := r.Cluster()
	_, hook := r.Ingress()
	cut := c.Leader()
	r.Worker("CHATLANE_NATS_URL=" + c.URL(cut))
	r.Worker()
	l := begin(t, r, hook)
	for range rounds(1) {
		wait(t, 2*time.Second)
		thaw := c.Freeze(cut)
		wait(t, cutTime())
		thaw()
		c.Settle()
		l.caughtUp()
	}
	l.finish(90 * time.Second)
}

package fault

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testport"
	"github.com/chatlane/chatlane/test/harness"
)

// earlier is the commit whose programs run beside today's: the first one that docs/upgrading.md
// lets mix with them.
var earlier = flag.String("earlier", "ad0d727", "commit whose programs the upgrade begins from")

// TestEarlierProgramsRunBesideTheseAndBack rolls a deployment under load from an earlier commit's
// programs to these, one process at a time, and back.
func TestEarlierProgramsRunBesideTheseAndBack(t *testing.T) {
	now := harness.New(t)
	before := now.Built(harness.BuildAt(t, *earlier))
	addr := testport.Addr(t)
	listen := "CHATLANE_LISTEN=" + addr
	in, hook := before.Ingress(listen)
	_, id, _ := strings.Cut(hook, "/webhook/")
	// On a busy machine locks and pins outlive a stall: a turn that has lost its lock may repeat a call, in any release.
	calm := []string{"CHATLANE_LOCK_TTL=20s", "CHATLANE_PIN_TTL=10s"}
	workers := []*harness.Process{before.Worker(calm...), before.Worker(calm...), before.Worker(calm...)}
	latency(now, 20*time.Millisecond, 80*time.Millisecond)
	deliver(t, now, "http://"+addr+"/webhook/"+id)
	l := pour(t, now, 60, time.Second)
	for _, to := range []*harness.Rig{now, before} {
		wait(t, 2*time.Second)
		for i := range workers {
			fresh := to.Worker(calm...)
			if code := workers[i].Stop(); code != 0 {
				t.Errorf("worker exits with %d", code)
			}
			workers[i] = fresh
			wait(t, time.Second) // both releases work
		}
		if code := in.Stop(); code != 0 {
			t.Errorf("ingress exits with %d", code)
		}
		in, _ = to.Ingress(listen)
		if out := now.Chatlane("status"); strings.Count(out, "  devel  ") != len(workers) {
			t.Errorf("status does not show %d workers of a release:\n%s", len(workers), out)
		}
	}
	wait(t, 2*time.Second)
	if report := l.finish(90 * time.Second); report.Excused+report.Window > 0 {
		t.Errorf("a planned hand-over repeats nothing: %v", report)
	}
}

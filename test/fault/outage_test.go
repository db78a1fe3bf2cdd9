package fault

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/test/harness"
)

// outage is a time in which the broker or Redis is down, as the processes bear it.
type outage struct {
	t     *testing.T
	began time.Time
	procs []*harness.Process
	lines []int
	cpu   []time.Duration
}

// away begins an outage: it notes the log lines and processor time of the processes.
func away(t *testing.T, procs ...*harness.Process) *outage {
	t.Helper()
	o := &outage{t: t, began: time.Now(), procs: procs}
	for _, p := range procs {
		o.lines, o.cpu = append(o.lines, p.Logged()), append(o.cpu, p.CPU(t))
	}
	return o
}

// notReady waits until no process is ready.
func (o *outage) notReady() {
	o.t.Helper()
	for _, p := range o.procs {
		harness.Eventually(o.t, 10*time.Second, "not ready at "+p.Admin, func() bool { return !p.Ready() })
	}
}

// over waits until each process is ready again. During the outage a process may log at most
// one line per chat, not one per attempt, and may not use much processor time.
func (o *outage) over(chats int) {
	o.t.Helper()
	for i, p := range o.procs {
		p.WaitReady(o.t)
		took := time.Since(o.began)
		lines, cpu := p.Logged()-o.lines[i], p.CPU(o.t)-o.cpu[i]
		o.t.Logf("outage of %v: process %d logged %d lines and used %v of a processor", took.Round(time.Millisecond), i, lines, cpu)
		if lines > chats+100 {
			o.t.Errorf("process %d logged %d lines in an outage of %v", i, lines, took)
		}
		if cpu > took/4+time.Second {
			o.t.Errorf("process %d used %v of a processor in an outage of %v", i, cpu, took)
		}
	}
}

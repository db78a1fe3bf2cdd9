package fault

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/test/harness"
	"github.com/chatlane/chatlane/test/simctl"
)

// TestRedisFailsOverMidCommit kills the master under load. Each commit waits for a replica, so that the new master, which
// the sentinel makes of the replica that has most, has all of them. The notes of calls do not wait: the turns that run at
// that moment may repeat their calls.
func TestRedisFailsOverMidCommit(t *testing.T) {
	r := harness.New(t)
	master := r.Redis
	host, port, _ := net.SplitHostPort(master.Addr)
	replicas := []*redistest.Server{
		redistest.Start(t, "--replicaof", host+" "+port), redistest.Start(t, "--replicaof", host+" "+port),
	}
	sentinel := redistest.StartSentinel(t, master)
	harness.Eventually(t, 30*time.Second, "the sentinel knows both replicas", func() bool {
		info, err := redistest.Do(t.Context(), sentinel.Addr, "INFO sentinel")
		return err == nil && strings.Contains(info, "status=ok,") && strings.Contains(info, "slaves=2,")
	})
	for _, s := range replicas {
		harness.Eventually(t, 30*time.Second, "the replica has everything", func() bool {
			info, err := redistest.Do(t.Context(), s.Addr, "INFO replication")
			return err == nil && strings.Contains(info, "master_link_status:up")
		})
	}
	env := []string{"CHATLANE_REDIS_URL=redis+sentinel://" + sentinel.Addr + "/0?master_name=mymaster", "CHATLANE_REDIS_WAIT_REPLICAS=1"}
	_, hook := r.Ingress()
	r.Worker(env...)
	r.Worker(env...)
	l := begin(t, r, hook)
	wait(t, 3*time.Second)
	master.Stop()
	harness.Eventually(t, 30*time.Second, "a replica is the new master", func() bool {
		for _, s := range replicas {
			if role, err := redistest.Do(t.Context(), s.Addr, "INFO replication"); err == nil && strings.Contains(role, "role:master") {
				r.Redis = s
				return true
			}
		}
		return false
	})
	l.caughtUp()
	l.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := r.Telegram.Await(ctx, simctl.TallyDone(first, l.chats, l.texts)); err != nil {
		t.Errorf("not every chat got its last reply: %v", err)
	}
	l.sum()
	report := simctl.CheckTally(r.Telegram, first, l.chats, l.texts)
	t.Log(report)
	if report.Lost+report.Disordered > 0 || report.Repeated > l.chats {
		t.Errorf("want nothing lost or out of order, and of each chat's calls at most the running one repeated: %v", report)
	}
}

package fault

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/test/harness"
)

// TestFewFileDescriptors leaves ingress and worker 64 descriptors: connections wait for each other.
func TestFewFileDescriptors(t *testing.T) {
	r := harness.New(t)
	in, hook := r.Ingress()
	w := r.Worker()
	in.Files(t, 64)
	w.Files(t, 64)
	l := begin(t, r, hook)
	l.together.Store(true) // 200 turns at once
	wait(t, orWhole(4*time.Second, time.Minute))
	l.finish(90 * time.Second)
}

// TestLittleMemory gives each process a memory limit that is far below what it would use.
func TestLittleMemory(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress("GOMEMLIMIT=16MiB")
	r.Worker("GOMEMLIMIT=24MiB")
	l := begin(t, r, hook)
	l.together.Store(true)
	wait(t, orWhole(4*time.Second, time.Minute))
	l.finish(90 * time.Second)
}

// TestDiskUnderNATSFull fills the broker's disk. Ingress answers 503 until there is room and the broker has been restarted.
func TestDiskUnderNATSFull(t *testing.T) {
	disk := harness.SmallDisk(t, 32<<20)
	r := harness.New(t)
	r.MoveNATS(disk.Dir)
	bounds := []string{"CHATLANE_STREAM_MAX_BYTES=6MiB", "CHATLANE_DEAD_LETTERS_MAX_BYTES=1MiB", "CHATLANE_TIMERS_MAX_BYTES=1MiB"}
	_, hook := r.Ingress(bounds...)
	r.Worker(bounds...)
	l := begin(t, r, hook)
	wait(t, 2*time.Second)
	free := disk.Fill()
	wait(t, orWhole(4*time.Second, time.Minute))
	free()
	r.NATS.Kill()
	r.StartNATS()
	l.finish(90 * time.Second)
}

// TestDiskUnderRedisFull fills Redis's disk. With appendfsync always Redis ends, and is started again when there is room.
func TestDiskUnderRedisFull(t *testing.T) {
	disk := harness.SmallDisk(t, 24<<20)
	r := harness.New(t)
	r.Redis = redistest.Start(t, "--dir", disk.Dir)
	_, hook := r.Ingress()
	w := r.Worker("CHATLANE_REDIS_URL=" + r.Redis.URL)
	l := begin(t, r, hook)
	wait(t, 2*time.Second)
	free := disk.Fill()
	harness.Eventually(t, 20*time.Second, "not ready", func() bool { return !w.Ready() })
	wait(t, orWhole(2*time.Second, time.Minute))
	free()
	r.Redis.Restart()
	l.finish(90 * time.Second)
}

package broker

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/preflight"
)

// Outdated is what Preflight says of a server's version.
func Outdated(version string) []preflight.Finding { return outdated(version) }

// MakeTimersWithoutSchedules stands for a stream that an old server made.
func MakeTimersWithoutSchedules(ctx context.Context, c *Conn) error {
	for _, want := range (Topology{}).withDefaults().streams(c.names) {
		if want.Name == c.names.Timers() {
			want.AllowMsgSchedules = false
			if _, err := c.JetStream().CreateStream(ctx, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// Limits is what Preflight says of an account with this limit, in which the given streams
// have reserved their bounds.
func Limits(t Topology, limit, reserved int64, standing map[string]int64) []preflight.Finding {
	info := new(jetstream.AccountInfo)
	info.Limits.MaxStore, info.Limits.MaxConsumers, info.ReservedStore = limit, -1, uint64(reserved)
	return t.withDefaults().limits(Names{}, info, standing)
}

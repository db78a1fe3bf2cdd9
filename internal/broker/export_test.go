package broker

import (
	"context"

	"github.com/chatlane/chatlane/internal/preflight"
)

// Outdated is what Preflight says of a server's version.
func Outdated(version string) []preflight.Finding { return outdated(version) }

// MakeTimersWithoutSchedules stands for a stream that an old server made.
func MakeTimersWithoutSchedules(ctx context.Context, c *Conn) error {
	for _, want := range (Topology{}).withDefaults().streams() {
		if want.Name == StreamTimers {
			want.AllowMsgSchedules = false
			if _, err := c.JetStream().CreateStream(ctx, want); err != nil {
				return err
			}
		}
	}
	return nil
}

package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Preflight names what the broker is set to that a promise would suffer from, each
// with what to set. Nothing found is no proof: how often the servers flush to disk
// (sync_interval) cannot be seen by a client.
func (c *Conn) Preflight(ctx context.Context, t Topology) (findings []string, err error) {
	t = t.withDefaults()
	if v := c.nc.ConnectedServerVersion(); older(v, 2, 14) {
		findings = append(findings, fmt.Sprintf("nats-server is %s: takeover needs 2.14 or later, 2.15 in production; upgrade it", v))
	}
	if c.nc.MaxPayload() < 1<<20 {
		findings = append(findings, fmt.Sprintf("max_payload is %d: an update may have 512 KiB; set 1MB or more", c.nc.MaxPayload()))
	}
	for _, want := range t.streams() {
		s, err := c.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return findings, fmt.Errorf("look at stream %s: %w", want.Name, err)
		}
		have := s.CachedInfo().Config
		if err := compareStream(have, want); err != nil {
			findings = append(findings, err.Error())
		}
		if have.Replicas < 3 {
			findings = append(findings, fmt.Sprintf("stream %s has %d replica: what one server confirmed dies with its disk; set CHATLANE_STREAM_REPLICAS=3 on a cluster of three", want.Name, have.Replicas))
		}
		if have.Storage != jetstream.FileStorage {
			findings = append(findings, fmt.Sprintf("stream %s is kept in memory: a restart loses it; set its storage to file", want.Name))
		}
	}
	return findings, nil
}

// older compares "2.15.2" with a major and minor version.
func older(version string, major, minor int) bool {
	f := strings.SplitN(version, ".", 3)
	if len(f) < 2 {
		return true
	}
	a, errA := strconv.Atoi(f[0])
	b, errB := strconv.Atoi(f[1])
	return errA != nil || errB != nil || a < major || a == major && b < minor
}

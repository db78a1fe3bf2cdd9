package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/preflight"
)

// Preflight names the settings under which a law would not hold. Finding nothing is no proof: a
// client cannot see how often the servers flush to disk (sync_interval).
func (c *Conn) Preflight(ctx context.Context, t Topology) (findings []preflight.Finding, err error) {
	t = t.withDefaults()
	findings = append(findings, outdated(c.nc.ConnectedServerVersion())...)
	if have := c.nc.MaxPayload(); have < 1<<20 {
		findings = append(findings, preflight.Finding{
			Setting: "max_payload", Have: strconv.FormatInt(have, 10), Set: "1MB or more", Law: 1,
			Why: "an update that is larger is refused each time Telegram sends it",
		})
	}
	standing := make(map[string]int64) // bytes, by stream
	for _, want := range t.streams(c.names) {
		s, err := c.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // Ensure makes it as it should be
		}
		if err != nil {
			return nil, fmt.Errorf("look at stream %s: %w", want.Name, err)
		}
		info := s.CachedInfo()
		standing[want.Name] = max(info.Config.MaxBytes, 0)
		findings = append(findings, c.names.lookAtStream(info.Config, want)...)
		findings = append(findings, c.names.fill(info, cmp.Or(want.MaxBytes, t.TimersMaxBytes))...)
	}
	info, err := c.js.AccountInfo(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at JetStream's limits: %w", err)
	}
	findings = append(findings, t.limits(c.names, info, standing)...)
	for i := range findings {
		findings[i].Server = "nats"
	}
	return findings, nil
}

// limits compares the account's limits (-1: none) with what is still to be reserved. Standing is reserved already.
func (t Topology) limits(n Names, info *jetstream.AccountInfo, standing map[string]int64) (findings []preflight.Finding) {
	less := func(setting string, have, need int64, law int, why string) {
		if have >= 0 && have < need {
			findings = append(findings, preflight.Finding{
				Setting: setting, Have: strconv.FormatInt(have, 10), Set: strconv.FormatInt(need, 10) + " or more", Law: law, Why: why,
			})
		}
	}
	missing := t.TimersMaxBytes * int64(t.Replicas) // the broker reserves nothing for TIMERS
	for _, s := range t.streams(n) {
		missing += max(s.MaxBytes-standing[s.Name], 0) * int64(t.Replicas)
	}
	less("max_file_store of the account", info.Limits.MaxStore, int64(info.ReservedStore)+missing, 5,
		"dead letters, parked updates and timers are refused before their own bounds, and hold their lanes")
	less("max_consumers of the account", int64(info.Limits.MaxConsumers), int64(t.Partitions), 5,
		"the partitions without a consumer are read by nobody")
	return findings
}

func (n Names) lookAtStream(have, want jetstream.StreamConfig) (findings []preflight.Finding) {
	name := "stream " + want.Name
	if have.Storage != jetstream.FileStorage {
		findings = append(findings, preflight.Finding{Setting: name + ": storage", Have: have.Storage.String(), Set: "file", Law: 5, Why: "a restart loses what is queued"})
	}
	if have.Discard != want.Discard && want.Discard == jetstream.DiscardNew {
		findings = append(findings, preflight.Finding{Setting: name + ": discard", Have: have.Discard.String(), Set: "new", Law: 5, Why: "a full stream drops its oldest updates"})
	}
	if have.Duplicates < want.Duplicates {
		findings = append(findings, preflight.Finding{
			Setting: name + ": duplicate_window", Have: have.Duplicates.String(), Set: want.Duplicates.String(), Law: 2,
			Why: "a publish whose confirmation was late may be stored again behind newer updates",
		})
	}
	if len(findings) == 0 { // a difference that is not named above
		if err := n.compareStream(have, want); err != nil {
			findings = append(findings, preflight.Finding{Setting: name, Have: "another", Set: "what is configured", Law: 2, Why: err.Error()})
		}
	}
	if have.Replicas < 3 {
		findings = append(findings, preflight.Finding{
			Setting: name + ": num_replicas", Have: strconv.Itoa(have.Replicas), Set: "3 (CHATLANE_STREAM_REPLICAS)",
			Why: "what one server confirmed dies with its disk",
		})
	}
	return findings
}

func (n Names) fill(info *jetstream.StreamInfo, bound int64) []preflight.Finding {
	if used := int64(info.State.Bytes); used > bound-bound/5 {
		return []preflight.Finding{{
			Setting: "stream " + info.Config.Name + ": bytes", Have: strconv.FormatInt(used, 10),
			Set: fmt.Sprintf("less than four fifths of %d (%s)", bound, n.boundName(info.Config.Name)), Why: n.fullMeans(info.Config.Name),
		}}
	}
	return nil
}

func (n Names) fullMeans(stream string) string {
	switch stream {
	case n.DeadLetters():
		return "at the bound the oldest dead letters are dropped for new ones: replay or drop some"
	case n.Timers():
		return "at the bound a turn that sets a timeout waits until other timers have fired"
	case n.Parked():
		return "at the bound lanes that should be parked take place in their partition's window"
	}
	return "at the bound ingress answers 503, and Telegram keeps the updates"
}

func outdated(version string) []preflight.Finding {
	f := preflight.Finding{Setting: "nats-server", Have: version, Set: "2.15 or later", Law: 2, Why: "takeover needs 2.14 or later"}
	switch {
	case older(version, 12):
		f.Why = "timers need 2.12 or later, takeover 2.14"
	case older(version, 14):
	case older(version, 15):
		f.Law, f.Why = 0, "before 2.15 flushing each write costs 12 times as much"
	default:
		return nil
	}
	return []preflight.Finding{f}
}

// older says that "2.14.1" is before 2.minor. An unreadable version is older.
func older(version string, minor int) bool {
	f := strings.SplitN(version, ".", 3)
	if len(f) < 2 {
		return true
	}
	a, errA := strconv.Atoi(f[0])
	b, errB := strconv.Atoi(f[1])
	return errA != nil || errB != nil || a < 2 || a == 2 && b < minor
}

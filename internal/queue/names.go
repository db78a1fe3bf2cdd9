package queue

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Streams, subjects and consumers, as an operator sees them in the broker.
const (
	StreamUpdates     = "UPDATES"
	StreamDeadLetters = "DEADLETTERS"
	StreamParked      = "PARKED"
	StreamTimers      = "TIMERS"

	updatesPrefix = "updates."
	deadPrefix    = "dead."
	parkedPrefix  = "parked."
	timersPrefix  = "timers." // armed
	firedPrefix   = "fired."  // on their way into UPDATES

	// group is the one priority group of each consumer; its pin is the ownership of the partition.
	group = "owner"
)

// consumerName of a partition; sorts as its number does.
func consumerName(p partition.ID) string { return fmt.Sprintf("p-%04d", p) }

// laneSubject is "<prefix><partition>.<bot>.<rest of the lane key>", so that a
// wildcard selects a partition, a bot or a lane.
func laneSubject(prefix string, p partition.ID, k lane.Key) string {
	bot, rest, _ := strings.Cut(string(k), ":")
	return prefix + strconv.Itoa(int(p)) + "." + bot + "." + rest
}

// parseSubject is the inverse of laneSubject, for any prefix of one token.
func parseSubject(subject string) (partition.ID, lane.Key, error) {
	t := strings.Split(subject, ".")
	if len(t) != 4 {
		return 0, "", fmt.Errorf("subject %q: want 4 tokens", subject)
	}
	p, err := strconv.Atoi(t[1])
	if err != nil {
		return 0, "", fmt.Errorf("subject %q: partition: %w", subject, err)
	}
	return partition.ID(p), lane.Key(t[2] + ":" + t[3]), nil
}

package broker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Streams, as an operator sees them in the broker.
const (
	StreamUpdates     = "UPDATES"
	StreamDeadLetters = "DEADLETTERS"
	StreamParked      = "PARKED"
	StreamTimers      = "TIMERS"
)

// Subjects begin with one of these; [LaneSubject] has what follows.
const (
	UpdatesPrefix     = "updates."
	DeadLettersPrefix = "dead."
	ParkedPrefix      = "parked."
	TimersPrefix      = "timers." // armed
	FiredPrefix       = "fired."  // fired, and not in UPDATES yet
)

// PinGroup is the one priority group of each partition's consumer. The client that the
// broker pins in it owns the partition.
const PinGroup = "owner"

// ConsumerName is the durable consumer of a partition. Names sort as partitions do.
func ConsumerName(p partition.ID) string { return fmt.Sprintf("p-%04d", p) }

// LaneSubject is "<prefix><partition>.<bot>.<rest of the lane key>", so that a
// wildcard selects a partition, a bot or a lane.
func LaneSubject(prefix string, p partition.ID, k lane.Key) string {
	bot, rest, _ := strings.Cut(string(k), ":")
	return prefix + strconv.Itoa(int(p)) + "." + bot + "." + rest
}

// ParseSubject is the inverse of [LaneSubject], for any prefix of one token.
func ParseSubject(subject string) (partition.ID, lane.Key, error) {
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

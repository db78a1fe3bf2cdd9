package broker

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Names makes the names that one installation has in NATS and Redis. Each begins with the namespace and "_",
// which no namespace contains: installations on the same servers share no name. The zero value has no namespace.
type Names struct{ prefix string }

// NamesIn gives the names of a namespace; empty means none.
func NamesIn(namespace string) Names {
	if namespace == "" {
		return Names{}
	}
	return Names{prefix: namespace + "_"}
}

// isNamespace keeps namespaces fit for stream names, subjects, bucket names and Redis keys.
func isNamespace(s string) bool { return regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`).MatchString(s) }

// Updates is the stream of updates that wait for their turn.
func (n Names) Updates() string { return n.prefix + "UPDATES" }

// DeadLetters is the stream of dead letters.
func (n Names) DeadLetters() string { return n.prefix + "DEADLETTERS" }

// Parked is the stream of parked lanes' updates.
func (n Names) Parked() string { return n.prefix + "PARKED" }

// Timers is the stream of armed timers, and of fired ones that are not in Updates yet.
func (n Names) Timers() string { return n.prefix + "TIMERS" }

// UpdatesPrefix begins the subjects of Updates; [LaneSubject] has what follows.
func (n Names) UpdatesPrefix() string { return n.prefix + "updates." }

// DeadLettersPrefix begins the subjects of DeadLetters.
func (n Names) DeadLettersPrefix() string { return n.prefix + "dead." }

// ParkedPrefix begins the subjects of Parked.
func (n Names) ParkedPrefix() string { return n.prefix + "parked." }

// TimersPrefix begins the subjects of armed timers.
func (n Names) TimersPrefix() string { return n.prefix + "timers." }

// FiredPrefix begins the subjects of fired timers, in the same stream.
func (n Names) FiredPrefix() string { return n.prefix + "fired." }

// Presence is the subject of the workers' heartbeats.
func (n Names) Presence() string { return n.prefix + "chatlane.presence" }

// Inbox begins the subjects on which a program gets answers and deliveries.
func (n Names) Inbox(program string) string { return "_INBOX." + n.prefix + program }

// FreeLane is the subject on which the owner of a partition is asked to free a lane.
func (n Names) FreeLane(p partition.ID) string {
	return n.prefix + "chatlane.lane.free." + strconv.Itoa(int(p))
}

// StateBucket is the key-value bucket of conversation state.
func (n Names) StateBucket() string { return n.prefix + "chatlane_state" }

// LimitsBucket is the key-value bucket of the limits of sending.
func (n Names) LimitsBucket() string { return n.prefix + "chatlane_limits" }

// RedisPrefix begins every key in Redis; a ":" follows.
func (n Names) RedisPrefix() string { return n.prefix + "chatlane" }

// PinGroup is the priority group of each partition's consumer. Its pinned client owns the partition.
const PinGroup = "owner"

// ConsumerName is the durable consumer of a partition. Names sort as partitions do.
func ConsumerName(p partition.ID) string { return fmt.Sprintf("p-%04d", p) }

// LaneSubject is "<prefix><partition>.<bot>.<rest of the lane key>": a wildcard selects partition, bot or lane.
func LaneSubject(prefix string, p partition.ID, k lane.Key) string {
	bot, rest, _ := strings.Cut(string(k), ":")
	return prefix + strconv.Itoa(int(p)) + "." + bot + "." + rest
}

// AnyPartition selects a lane's messages, whatever the number of partitions.
func AnyPartition(prefix string, k lane.Key) string {
	bot, rest, _ := strings.Cut(string(k), ":")
	return prefix + "*." + bot + "." + rest
}

// LanesSubject selects the lanes of a bot, or of all bots where it is 0; or of these the one
// with that rest of the key, unless it is empty.
func LanesSubject(prefix string, bot int64, rest string) string {
	of := "*"
	if bot != 0 {
		of = strconv.FormatInt(bot, 10)
	}
	return prefix + "*." + of + "." + cmp.Or(rest, "*")
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

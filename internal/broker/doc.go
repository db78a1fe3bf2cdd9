// Package broker is the connection to NATS, and what must stand there before anything
// flows: the streams, and one pinned consumer for each partition. It owns their names and
// subjects, compares what stands with what is configured, and names the servers' settings
// under which a law would not hold.
package broker

// Package broker is the connection to NATS, its streams, and one pinned consumer for each partition. It
// compares what stands with what is configured, and names servers' settings under which a law would not hold.
package broker

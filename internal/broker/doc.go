// Package broker is the connection to NATS, and makes what must stand there: the streams, and one
// pinned consumer for each partition. It owns their names and subjects, compares what stands with
// what is configured, and names the servers' settings under which a law would not hold.
package broker

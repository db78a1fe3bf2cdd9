// Package timer puts an update into its lane when its time has come. Timers are message schedules of the
// broker, so no process holds them: docs/decisions/0005-timers.md.
package timer

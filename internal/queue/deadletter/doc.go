// Package deadletter keeps updates that used up their attempts or could not be read, each with its error,
// until a person replays or drops it.
package deadletter

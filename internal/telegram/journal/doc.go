// Package journal keeps the results of a turn's calls, so that a later attempt of the turn does not repeat them.
//
// Two rules must hold:
//   - A result is stored before the handler sees it ([Journal.Record]).
//   - An entry answers only the call it was written for: the [Digest] of method, parameters and files
//     decides, not the order of the calls.
//
// One window is left: a crash between Telegram's answer and the write of its entry.
package journal

// Package telegram is the Bot API on both sides: what an update is and where it
// belongs ([Peek], [Decode]), and the calls that answer it ([Client], [Calls]).
//
// What it keeps true:
//   - An update has one route, or none and a reason. Nobody else's bytes, and no
//     malformed ones, choose a lane: names and numbers are read exactly.
//   - A call that a turn made with success is not made again by a later attempt of
//     that turn: its result is in the [Journal] before the handler sees it. The one
//     window left lies between Telegram's answer and the journal's write.
//   - A call whose answer was lost says so ([ErrAnswerLost]), and under at-most-once
//     is never made again ([ErrMaybeSent]).
//   - The token is in the request's URL and in no error, log, metric or span.
//
// The chain of a turn's call is: request middleware, journal, limiter, HTTP, journal.
package telegram

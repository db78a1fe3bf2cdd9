// Package simulator is a simulated Telegram, all in memory: a Bot API server, a
// sender that delivers updates to webhooks by Telegram's rules, and people who talk
// to bots. The one-command mode, the end-to-end and fault tests and the benchmarks
// stand on it.
//
// What it keeps true, as the real one does:
//
//   - an update waits in the queue of its type and chat (or user); one request is in
//     flight per queue, and the next goes out only after a 2xx or a drop;
//   - queues are sent in parallel, up to max_connections; 2 x max_connections queues
//     are loaded, so that many failing ones stop the bot;
//   - a failed update is sent again at once, then after 2, 4, 8 ... 64 s, then every
//     60 to 120 s, or as Retry-After says, and dropped when its type's time is over;
//   - updates come at least once: some are sent twice when asked to (Twice).
//
// And what the real one cannot show: each executed call is recorded, with whether
// its caller was gone before the answer could reach it. A repeat of such a call is
// the caller's right; any other is a defect.
//
// Chance is seeded; time is the clock of package time, so a synctest bubble's clock
// will do.
package simulator

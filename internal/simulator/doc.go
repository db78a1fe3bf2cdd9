// Package simulator is a simulated Telegram in memory: a Bot API server, a sender that delivers updates to
// webhooks, and people who talk to bots. The one-process mode, tests and benchmarks use it. Package
// test/simctl has what only tests need.
//
// It keeps Telegram's rules:
//
//   - an update waits in the queue of its type and chat (or user); one request per queue is in flight, and
//     the next goes out only after a 2xx or a drop;
//   - queues are sent in parallel, up to max_connections; 2 x max_connections queues are loaded, so that many
//     failing ones stop the bot;
//   - a failed update is sent again at once, then after 2, 4, 8 ... 64 s, then every 60 to 120 s, or after
//     Retry-After, and is dropped when its type's time is over;
//   - updates are delivered at least once: the share Twice of them is sent twice.
//
// It records each executed call, and whether the caller was gone before the answer could arrive. Only such a
// call may be repeated; any other repetition is a defect.
//
// Random choices are seeded. All waits use package time, so it runs in a synctest bubble.
package simulator

// Package telegram holds the Bot API, both sides of it:
//   - update: what an update is, which lane it belongs to, its decoding;
//   - api: the calls that answer it;
//   - journal: the results of a turn's calls, between the two.
package telegram

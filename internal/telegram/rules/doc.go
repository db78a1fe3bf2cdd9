// Package rules holds what Telegram takes and refuses, as its Bot API page says: lengths,
// commands, texts with marks. Packages bot, bottest and simulator ask it, so that a call
// which passes a test passes at Telegram. Everything here is pure and safe for concurrent use.
package rules

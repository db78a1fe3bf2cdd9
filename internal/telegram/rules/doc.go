// Package rules holds what Telegram accepts and refuses, as its Bot API page says. Packages bot, bottest and
// simulator share it, so that a call which passes a test passes at Telegram. Everything here is pure and safe
// for concurrent use.
package rules

// Package handlers is the bundled bot: small flows that show what Chatlane keeps true, one file each.
//
// A command that begins a flow always wins: it drops the present flow with its data and begins its own. So
// commands are on the root, whose handlers come before those of the flows. Other input that does not fit a
// state gets a hint and changes nothing.
package handlers

import (
	"context"

	"github.com/chatlane/chatlane/bot"
)

// New makes the bundled bot.
func New() *bot.Router {
	r := bot.New("bundled")
	start(r)
	order(r)
	feedback(r)
	tally(r)
	help(r)
	cancel(r)
	return r
}

func say(text string) bot.Handler {
	return func(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, text) }
}

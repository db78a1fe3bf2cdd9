// Package worker runs a bot: it owns partitions of the stream and takes their updates through the router, in
// order per chat, in parallel across chats, once each. An author's program is a main that calls [Main], or
// one of its own that calls [Run].
package worker

import (
	"context"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
)

// Run works until ctx ends, then hands its partitions over within cfg.Grace. It returns
//
//   - nil after a clean stop;
//   - at once, before anything is opened, an error that names each wrong setting, or each wiring mistake of
//     the router (see [bot.Router.Compile]), a line each;
//   - at once, an error if the admin address is taken, or the streams have another number of partitions or
//     another lane key;
//   - later, the joined errors of steps that failed while it stopped.
//
// A NATS, Redis or Bot API server that is away is no error: Run waits for it, logs that, and /readyz says so.
// Any number of workers may share the servers, in one process each with its own Telemetry.AdminListen. Run
// takes no signals and reads no environment but OpenTelemetry's.
func Run(ctx context.Context, router *bot.Router, cfg Config) error {
	return app.RunWorker(ctx, router, cfg.settings(), app.Parts{})
}

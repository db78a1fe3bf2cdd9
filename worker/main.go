package worker

import (
	"io"
	"os"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Main is a worker's whole main: it reads flags and the environment, runs the
// router until SIGTERM or SIGINT, and exits with 0 after a clean stop, 1 after a
// failure, 2 where settings are wrong. A second signal ends it at once. With the
// argument graph it prints the router's states and transitions instead.
func Main(router *bot.Router) {
	os.Exit(program(router, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func program(router *bot.Router, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "graph" {
		return graph(router, args[1:], environ, stdout, stderr)
	}
	if len(args) > 0 && args[0] == "allowed-updates" {
		return allowed(router, args[1:], environ, stdout, stderr)
	}
	p := config.Program{Args: args, Environ: environ, Stdout: stdout, Stderr: stderr, Command: config.Command{
		Name: "worker",
		About: "worker takes updates from NATS JetStream, in order per chat and in parallel across chats, runs the bot's handlers, " +
			"and calls the Bot API. Run as many as you like.",
		Notes: "The argument graph prints the states and transitions of the bot, see graph --help; allowed-updates the update types that it has handlers for. " +
			"The further OTEL_* variables of OpenTelemetry hold as well: samplers, batches, headers, resource attributes.",
	}}
	cfg := app.Worker{Telemetry: telemetry.Config{Output: stderr}}
	if code, done := p.Settings(&cfg); done {
		return code
	}
	ctx, stop := p.UntilSignal(cfg.Grace)
	defer stop()
	return p.Exit(app.RunWorker(ctx, router, cfg, app.Parts{}), config.ExitFailed)
}

// FromEnvironment reads the settings that --help lists from the environment, for a
// program that calls [Run] itself. The error names each variable with a wrong value.
func FromEnvironment() (Config, error) {
	var cfg app.Worker
	_, err := config.Command{Name: "worker"}.Load(nil, os.Environ(), &cfg)
	return public(cfg), err
}

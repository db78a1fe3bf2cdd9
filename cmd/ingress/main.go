// Command ingress receives Telegram's webhook requests, or polls, and stores each
// update in NATS JetStream before it says so.
//
// It exits with 0 after a clean stop, with 1 after a failure, and with 2 where its
// settings are wrong.
package main

import (
	"io"
	"os"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/telemetry"
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

func command() config.Command {
	return config.Command{
		Name: "ingress",
		About: "ingress receives Telegram's webhook requests on /webhook/<bot id>, stores each update in NATS JetStream, " +
			"and answers 200 only when that is confirmed. Run as many as you like.",
		Notes: "The further OTEL_* variables of OpenTelemetry hold as well: samplers, batches, headers, resource attributes.",
	}
}

func run(args, environ []string, stdout, stderr io.Writer) int {
	p := config.Program{Command: command(), Args: args, Environ: environ, Stdout: stdout, Stderr: stderr}
	cfg := ingress.Config{Telemetry: telemetry.Config{Output: stderr}}
	if code, done := p.Settings(&cfg); done {
		return code
	}
	ctx, stop := p.UntilSignal(cfg.Grace)
	defer stop()
	return p.Exit(app.RunIngress(ctx, cfg, app.Parts{}), config.ExitFailed)
}

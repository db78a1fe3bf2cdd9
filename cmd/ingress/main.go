// Command ingress receives Telegram's webhook requests, or polls, and stores each update in NATS JetStream
// before it confirms it. It exits with 0 after a clean stop, 1 after a failure, and 2 on wrong settings.
package main

import (
	"context"
	"io"
	"os"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

func run(args, environ []string, stdout, stderr io.Writer) int {
	p := config.Program{
		Name: "ingress", Args: args, Environ: environ, Stdout: stdout, Stderr: stderr,
		About: about,
	}
	return p.Run(context.Background(), &commands{})
}

const about = "ingress receives Telegram's webhook requests on /webhook/<bot id>, stores each update in NATS JetStream, " +
	"and answers 200 only when that is confirmed. Run as many as you like."

type commands struct {
	Run    command    `cmd:"" default:"withargs" help:"Take updates in; the default."`
	Health app.Health `cmd:"" help:"Ask a running ingress whether it is ready."`
}

type command struct {
	Ingress ingress.Config `embed:""`
}

func (*command) Help() string {
	return about + `

The command may be left out. The further OTEL_* variables of OpenTelemetry hold as well: samplers, batches, headers, resource attributes.

Examples:

  CHATLANE_BOT_TOKEN_FILE=/run/secrets/token CHATLANE_WEBHOOK_SECRET_FILE=/run/secrets/webhook ingress
  ingress --bots-file=bots.yaml --webhook-url=https://bot.example.com
  ingress --polling --bot-token-file=/run/secrets/token`
}

func (c *command) Run(ctx context.Context, p config.Program) error {
	c.Ingress.Telemetry.Output = p.Stderr
	ctx, stop := p.UntilSignal(ctx, c.Ingress.Grace)
	defer stop()
	return app.RunIngress(ctx, c.Ingress, app.Parts{})
}

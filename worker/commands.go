package worker

import (
	"context"
	"fmt"
	"strings"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
)

const about = "worker takes updates from NATS JetStream, in order per chat and in parallel across chats, runs the bot's handlers, " +
	"and calls the Bot API. Run as many as you like."

type commands struct {
	Run            run            `cmd:"" default:"withargs" help:"Take updates and answer them; the default."`
	Graph          graph          `cmd:"" help:"Print the states and transitions of the bot."`
	Health         app.Health     `cmd:"" help:"Ask a running worker whether it is ready."`
	AllowedUpdates allowedUpdates `cmd:"" help:"Print the update types that the bot has handlers for."`
}

type run struct {
	Worker app.Worker `embed:""`

	router *bot.Router
}

func (*run) Help() string {
	return about + `

The command may be left out. The other commands are graph, allowed-updates and health. The further OTEL_* variables
of OpenTelemetry hold as well: samplers, batches, headers, resource attributes.

Examples:

  CHATLANE_BOT_TOKEN_FILE=/run/secrets/token worker --nats-url=nats://nats:4222
  worker --config=chatlane.yaml --concurrency=64 --log-level=debug`
}

func (r *run) Run(ctx context.Context, p config.Program) error {
	r.Worker.Telemetry.Output = p.Stderr
	ctx, stop := p.UntilSignal(ctx, r.Worker.Grace)
	defer stop()
	return app.RunWorker(ctx, r.router, r.Worker, app.Parts{})
}

type graph struct {
	Format string `env:"CHATLANE_FORMAT" default:"mermaid" help:"mermaid, or dot for Graphviz."`

	router *bot.Router
}

func (*graph) Help() string {
	return `The graph has what filters, hooks, tables, timeouts and To name.

Example:

  worker graph --format=dot | dot -Tsvg > bot.svg`
}

func (g *graph) Run(p config.Program) error {
	if err := g.router.Graph().Write(p.Stdout, g.Format); err != nil {
		return fmt.Errorf("--format: %w (%w)", err, config.ErrUsage)
	}
	return nil
}

type allowedUpdates struct {
	router *bot.Router
}

func (*allowedUpdates) Help() string {
	return `The ingress is a program of its own and knows no bot: it needs the list in CHATLANE_ALLOWED_UPDATES.

Example:

  CHATLANE_ALLOWED_UPDATES=$(worker allowed-updates) ingress`
}

func (a *allowedUpdates) Run(p config.Program) error {
	p.Printf("%s\n", strings.Join(a.router.AllowedUpdates(), ","))
	return nil
}

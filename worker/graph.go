package worker

import (
	"fmt"
	"io"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/config"
)

// graph prints the states and transitions of the router.
func graph(router *bot.Router, args, environ []string, stdout, stderr io.Writer) int {
	var cfg struct {
		Format string `env:"CHATLANE_FORMAT" default:"mermaid" help:"mermaid, or dot for Graphviz."`
	}
	p := config.Program{Args: args, Environ: environ, Stdout: stdout, Stderr: stderr, Command: config.Command{
		Name: "worker graph", About: "graph prints the states and transitions of the bot: those that filters, hooks, tables, timeouts and To name.",
	}}
	if code, done := p.Settings(&cfg); done {
		return code
	}
	if err := router.Graph().Write(stdout, cfg.Format); err != nil {
		return p.Exit(fmt.Errorf("--format: %w", err), config.ExitUsage)
	}
	return 0
}

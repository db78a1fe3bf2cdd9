package main

import (
	"fmt"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/handlers"
)

type graphCommand struct {
	Format string `env:"CHATLANE_FORMAT" default:"mermaid" help:"mermaid, or dot for Graphviz."`
}

func (*graphCommand) Help() string {
	return `A worker of your own prints the states and transitions of its router: mybot graph.

Example:

  chatlane graph --format=dot | dot -Tsvg > bot.svg`
}

func (c *graphCommand) Run(p config.Program) error {
	if err := handlers.New().Graph().Write(p.Stdout, c.Format); err != nil {
		return fmt.Errorf("--format: %w (%w)", err, config.ErrUsage)
	}
	return nil
}

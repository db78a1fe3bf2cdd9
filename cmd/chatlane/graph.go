package main

import (
	"fmt"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/handlers"
)

// graph prints states and transitions of the bundled bot. An author's own worker
// prints those of its router itself, see worker.Main.
func (p program) graph(args []string) error {
	var cfg struct {
		Format string `env:"CHATLANE_FORMAT" default:"mermaid" help:"mermaid, or dot for Graphviz."`
	}
	if _, err := p.load(config.Command{
		Name: "chatlane graph", About: "graph prints the states and transitions of the bundled bot. A worker of your own prints those of its router: mybot graph.",
	}, args, &cfg); err != nil {
		return err
	}
	if err := handlers.New().Graph().Write(p.out, cfg.Format); err != nil {
		return fmt.Errorf("--format: %w (%w)", err, errUsage)
	}
	return nil
}

package worker

import (
	"context"
	"io"
	"os"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
)

// Main is a worker's whole main: it reads flags, environment and a file, runs the router until SIGTERM or
// SIGINT, and exits with 0 after a clean stop, 1 after a failure, 2 on a wrong command line or settings. A
// second signal ends it at once. The commands graph and allowed-updates print the router's states and update
// types; --help lists all settings.
func Main(router *bot.Router) {
	os.Exit(program(router, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func program(router *bot.Router, args, environ []string, stdout, stderr io.Writer) int {
	p := config.Program{Name: "worker", Args: args, Environ: environ, Stdout: stdout, Stderr: stderr, About: about}
	return p.Run(context.Background(), &commands{ //nolint:forbidigo // the root of a main
		Run: run{router: router}, Graph: graph{router: router}, AllowedUpdates: allowedUpdates{router: router},
	})
}

// FromEnvironment reads the settings from the environment and the file that CHATLANE_CONFIG names, for a
// program that calls [Run] itself. The error names each variable with a wrong value, a line each.
func FromEnvironment() (Config, error) {
	var cfg struct {
		Worker app.Worker `embed:""`
	}
	_, err := config.Program{Name: "worker", Environ: os.Environ()}.Load(&cfg)
	return public(cfg.Worker), err
}

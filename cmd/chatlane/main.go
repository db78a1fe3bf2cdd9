// Command chatlane is the one-process mode and the operator's tool.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, config.Program{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

type commands struct {
	Dev      devCommand      `cmd:"" help:"Everything in one process, with a simulated Telegram: a chat with the bundled bot."`
	Dead     deadCommand     `cmd:"" help:"List, show, replay or drop dead letters."`
	Lane     laneCommand     `cmd:"" help:"Show a chat's lane; list or free parked lanes."`
	State    stateCommand    `cmd:"" help:"Read, set or clear the state of a conversation."`
	Status   statusCommand   `cmd:"" help:"Fleet, backlog, streams and servers as they are now."`
	Check    checkCommand    `cmd:"" help:"Name settings of the servers under which a promise would not hold."`
	Simulate simulateCommand `cmd:"" help:"A simulated Telegram with people in it, for ingress and workers that run elsewhere."`
	Health   app.Health      `cmd:"" help:"Ask a running program whether it is ready."`
	Graph    graphCommand    `cmd:"" help:"Print the states and transitions of the bundled bot."`
}

func run(ctx context.Context, p config.Program, args []string) int {
	p.Name, p.About, p.Args = "chatlane", "chatlane is the one-process mode and the operator's tool of Chatlane.", args
	return p.Run(ctx, &commands{})
}

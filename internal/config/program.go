package config

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Exit codes of our programs, beside 0 for a clean end.
const (
	ExitFailed = 1
	ExitUsage  = 2 // settings are wrong
)

// Program is a command with what it was started with, and where it prints.
type Program struct {
	Command
	Args, Environ  []string
	Stdout, Stderr io.Writer
}

// Settings loads cfg. Done says that there is nothing more to do but to exit with
// the code: help was printed, or settings are wrong.
func (p Program) Settings(cfg any) (code int, done bool) {
	result, err := p.Load(p.Args, p.Environ, cfg)
	switch {
	case err != nil:
		return p.Exit(err, ExitUsage), true
	case result.Print != "":
		_, _ = io.WriteString(p.Stdout, result.Print)
		return 0, true
	}
	for _, warning := range result.Warnings {
		p.say(warning)
	}
	return 0, false
}

// Exit prints each line of an error, and gives the code; 0 where there is none.
func (p Program) Exit(err error, code int) int {
	if err == nil {
		return 0
	}
	for _, line := range Lines(err) {
		p.say(line)
	}
	return code
}

// UntilSignal ends with the first SIGTERM or SIGINT. A second one, or the end of the
// grace period, ends the process at once: nothing of ours depends on a clean stop.
func (p Program) UntilSignal(grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // the root of a main
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
			return
		}
		select {
		case <-signals:
			p.say("stopped at once by a second signal; what was under way is recovered")
		case <-time.After(grace):
			p.say("the grace period ended before the stop, what was under way is recovered; raise CHATLANE_GRACE if need be")
		}
		os.Exit(ExitFailed)
	}()
	return ctx, cancel
}

// say prints a line after the program's name, without that of a subcommand.
func (p Program) say(line string) {
	name, _, _ := strings.Cut(p.Name, " ")
	_, _ = fmt.Fprintf(p.Stderr, "%s: %s\n", name, line)
}

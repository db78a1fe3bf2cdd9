package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Exit codes of our programs, beside 0 for a clean end.
const (
	ExitFailed = 1
	ExitUsage  = 2 // the command line or settings are wrong
)

// ErrUsage marks an error that another command line would avoid.
var ErrUsage = errors.New("see --help")

// Program is a program with what it was started with, and where it prints.
type Program struct {
	Name  string // as typed
	About string // what it does: a sentence or two

	Args, Environ  []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run reads the command line into grammar, a pointer to a struct with tags, and calls Run of the chosen command,
// which may take a context.Context and a Program. It prints errors, a line each, and returns the exit code.
func (p Program) Run(ctx context.Context, grammar any) int {
	chosen, err := p.Load(grammar)
	if err == nil {
		chosen.BindTo(ctx, (*context.Context)(nil))
		err = chosen.Run(p)
	}
	switch {
	case err == nil, errors.Is(err, errPrinted):
		return 0
	case isUsage(err):
		p.say(err)
		return ExitUsage
	}
	p.say(err)
	return ExitFailed
}

func isUsage(err error) bool {
	_, settings := errors.AsType[*Error](err)
	return settings || errors.Is(err, ErrUsage)
}

// Load reads command line, environment and file into grammar. The error is an [Error] with all problems. It
// panics if grammar is no pointer to a struct or its tags are wrong.
func (p Program) Load(grammar any) (*kong.Context, error) {
	l := newLoader(p.Environ)
	k, err := kong.New(grammar, append(l.options(), p.options(l)...)...)
	if err != nil {
		panic("config: " + err.Error())
	}
	return l.load(k, p.Args)
}

// UntilSignal ends with the first SIGTERM or SIGINT. A second signal, or the end of the grace period, ends
// the process at once: nothing depends on a clean stop.
func (p Program) UntilSignal(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
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
			p.say(errors.New("stopped at once by a second signal; what was under way is recovered"))
		case <-time.After(grace):
			p.say(errors.New("the grace period ended before the stop, what was under way is recovered; raise CHATLANE_GRACE if need be"))
		}
		os.Exit(ExitFailed)
	}()
	return ctx, cancel
}

func (p Program) say(err error) {
	for _, line := range Lines(err) {
		_, _ = fmt.Fprintf(p.Stderr, "%s: %s\n", p.Name, line)
	}
}

// Printf prints to Stdout.
func (p Program) Printf(format string, args ...any) { _, _ = fmt.Fprintf(p.Stdout, format, args...) }

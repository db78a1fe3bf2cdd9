// Command chatlane is the one-process mode and the operator's tool.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/chatlane/chatlane/internal/config"
)

const (
	exitFailed = config.ExitFailed
	exitUsage  = config.ExitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	p := program{environ: os.Environ(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is one run, with what it reads and writes.
type program struct {
	environ  []string
	in       io.Reader
	out, err io.Writer
}

const usage = `chatlane is the one-process mode and the operator's tool of Chatlane.

  chatlane dev            everything in one process, with a simulated Telegram; a chat with the bundled bot
  chatlane dev --demo     plays a scripted conversation of several people, and exits
  chatlane dead           list, show, replay or drop dead letters
  chatlane lane           list or free parked lanes
  chatlane check          settings of the broker under which a promise would not hold
  chatlane graph          states and transitions of the bundled bot, as Mermaid or DOT

Each takes --help.
`

func (p program) run(ctx context.Context, args []string) int {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var err error
	switch name {
	case "dev":
		err = p.dev(ctx, args)
	case "dead":
		err = p.dead(ctx, args)
	case "lane":
		err = p.lane(ctx, args)
	case "check":
		err = p.check(ctx, args)
	case "graph":
		err = p.graph(args)
	case "help", "--help", "-h":
		p.printf("%s", usage)
	default:
		_, _ = fmt.Fprint(p.err, usage)
		return exitUsage
	}
	return p.exit(err)
}

// exit prints each line of err and gives the code.
func (p program) exit(err error) int {
	if err == nil || errors.Is(err, errPrinted) {
		return 0
	}
	for _, line := range config.Lines(err) {
		_, _ = fmt.Fprintln(p.err, "chatlane: "+line)
	}
	if bad := (*config.Error)(nil); errors.As(err, &bad) || errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

var (
	errPrinted = errors.New("help was printed")
	errUsage   = errors.New("see --help")
)

// load reads settings; errPrinted says that there is nothing more to do.
func (p program) load(c config.Command, args []string, into ...any) ([]string, error) {
	result, err := c.Load(args, p.environ, into...)
	if err != nil {
		return nil, err
	}
	if result.Print != "" {
		p.printf("%s", result.Print)
		return nil, errPrinted
	}
	return result.Args, nil
}

func (p program) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format, args...) }

// first splits the verb off.
func first(args []string) (verb string, rest []string) {
	if len(args) == 0 {
		return "", nil
	}
	return args[0], args[1:]
}

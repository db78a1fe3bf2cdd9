// Command ingress receives Telegram's webhook requests, or polls, and stores each
// update in NATS JetStream before it says so.
//
// It exits with 0 after a clean stop, with 1 after a failure, and with 2 where its
// settings are wrong.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/telemetry"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

func command() config.Command {
	return config.Command{
		Name: "ingress",
		About: "ingress receives Telegram's webhook requests on /webhook/<bot id>, stores each update in NATS JetStream, " +
			"and answers 200 only when that is confirmed. Run as many as you like.",
		Notes: "The further OTEL_* variables of OpenTelemetry hold as well: samplers, batches, headers, resource attributes.",
	}
}

func run(args, environ []string, stdout, stderr io.Writer) int {
	cfg := ingress.Config{Telemetry: telemetry.Config{Output: stderr}}
	result, err := command().Load(args, environ, &cfg)
	switch {
	case err != nil:
		return fail(stderr, err, exitUsage)
	case result.Print != "":
		_, _ = io.WriteString(stdout, result.Print)
		return 0
	}
	for _, warning := range result.Warnings {
		_, _ = fmt.Fprintln(stderr, "ingress: "+warning)
	}
	ctx, stop := untilSignal(cfg.Grace)
	defer stop()
	if err := ingress.Run(ctx, cfg, ingress.Parts{}); err != nil {
		return fail(stderr, err, exitFailed)
	}
	return 0
}

func fail(stderr io.Writer, err error, code int) int {
	for _, line := range config.Lines(err) {
		_, _ = fmt.Fprintln(stderr, "ingress: "+line)
	}
	return code
}

// untilSignal ends with the first SIGTERM or SIGINT. A second one, or the end of
// the grace period, ends the process at once: nothing that was answered depends on
// a clean stop.
func untilSignal(grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
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
			_, _ = fmt.Fprintln(os.Stderr, "ingress: stopped at once by a second signal")
		case <-time.After(grace):
			_, _ = fmt.Fprintln(os.Stderr, "ingress: the grace period ended before the stop; raise CHATLANE_GRACE if need be")
		}
		os.Exit(exitFailed)
	}()
	return ctx, cancel
}

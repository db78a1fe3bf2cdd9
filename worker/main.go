package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/telegram"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Exit codes of [Main].
const (
	exitFailed = 1
	exitUsage  = 2
)

// Main is a worker's whole main: it reads flags and the environment, runs the
// router until SIGTERM or SIGINT, and exits with 0 after a clean stop, 1 after a
// failure, 2 where settings are wrong. A second signal ends it at once.
func Main(router *bot.Router) {
	os.Exit(program(router, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func program(router *bot.Router, args, environ []string, stdout, stderr io.Writer) int {
	command := config.Command{
		Name: "worker",
		About: "worker takes updates from NATS JetStream, in order per chat and in parallel across chats, runs the bot's handlers, " +
			"and calls the Bot API. Run as many as you like.",
		Notes: "The further OTEL_* variables of OpenTelemetry hold as well: samplers, batches, headers, resource attributes.",
	}
	cfg := Config{Telemetry: telemetry.Config{Output: stderr}}
	result, err := command.Load(args, environ, &cfg)
	switch {
	case err != nil:
		return fail(stderr, err, exitUsage)
	case result.Print != "":
		_, _ = io.WriteString(stdout, result.Print)
		return 0
	}
	for _, warning := range result.Warnings {
		_, _ = fmt.Fprintln(stderr, "worker: "+warning)
	}
	ctx, stop := untilSignal(cfg.Grace)
	defer stop()
	if err := Run(ctx, router, cfg); err != nil {
		return fail(stderr, err, exitFailed)
	}
	return 0
}

func fail(stderr io.Writer, err error, code int) int {
	for _, line := range config.Lines(err) {
		_, _ = fmt.Fprintln(stderr, "worker: "+line)
	}
	return code
}

// untilSignal ends with the first SIGTERM or SIGINT; a second one, or the end of
// the grace period, ends the process, and leaves nothing that is not recovered.
func untilSignal(grace time.Duration) (context.Context, context.CancelFunc) {
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
		case <-time.After(grace):
		}
		_, _ = fmt.Fprintln(os.Stderr, "worker: stopped at once; what was under way is recovered by other workers")
		os.Exit(exitFailed)
	}()
	return ctx, cancel
}

// username asks Telegram; without an answer the bot works, but for /command@name in groups.
func (a *assembly) username(ctx context.Context, client *telegram.Client, token telegram.Token) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	raw, err := client.Call(ctx, token, "getMe", nil)
	if err != nil {
		a.tel.Log.WarnContext(ctx, "bot's name is unknown: set username in CHATLANE_BOTS_FILE, or commands that name the bot are not heard",
			slog.Int64("bot", token.Bot()), slog.String("error", err.Error()))
		return ""
	}
	var me struct {
		Username string `json:"username"`
	}
	if err := json.Unmarshal(raw, &me); err != nil {
		return ""
	}
	return me.Username
}

package worker

import (
	"fmt"
	"io"
	"strings"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/config"
)

// allowed prints the update types that the router has handlers for. The ingress is a
// program of its own and knows no router: it is told by CHATLANE_ALLOWED_UPDATES.
func allowed(router *bot.Router, args, environ []string, stdout, stderr io.Writer) int {
	p := config.Program{Args: args, Environ: environ, Stdout: stdout, Stderr: stderr, Command: config.Command{
		Name: "worker allowed-updates", About: "allowed-updates prints the update types that the bot has handlers for, as CHATLANE_ALLOWED_UPDATES of ingress takes them.",
	}}
	if code, done := p.Settings(&struct{}{}); done {
		return code
	}
	_, _ = fmt.Fprintln(stdout, strings.Join(router.AllowedUpdates(), ","))
	return 0
}

package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/lifecycle"
)

// Health is a command that asks a running program whether it is ready: the health check of containers without
// a shell.
type Health struct {
	URL         string `arg:"" optional:"" help:"What to ask; by default /readyz of the admin address on this machine."`
	AdminListen string `env:"CHATLANE_ADMIN_LISTEN" default:":9090" help:"Admin address of the program that is asked."`

	Within time.Duration `name:"within" help:"Ask again for so long until it is ready; 0: ask once."`
}

// healthWait lets a check end before its caller gives up.
const healthWait = 3 * time.Second

// Run prints nothing and succeeds on 200. Else the error has the answer, which says why the program is not ready.
func (h *Health) Run(ctx context.Context) error {
	url := h.URL
	if url == "" {
		host, port, err := net.SplitHostPort(h.AdminListen)
		if err != nil {
			return fmt.Errorf("CHATLANE_ADMIN_LISTEN: set an address such as :9090 (%w)", config.ErrUsage)
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		url = "http://" + net.JoinHostPort(host, port) + "/readyz"
	}
	if h.Within == 0 {
		return ask(ctx, url)
	}
	waiting, cancel := context.WithTimeout(ctx, h.Within)
	defer cancel()
	var last error
	err := lifecycle.Backoff{First: 250 * time.Millisecond, Most: time.Second}.Await(waiting, func(ctx context.Context) error {
		last = ask(ctx, url)
		return last
	})
	if err != nil {
		return cmp.Or(last, err)
	}
	return nil
}

func ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("%w (%w)", err, config.ErrUsage)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("not reached: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	why, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return errors.Join(fmt.Errorf("not ready: %s: %s", resp.Status, strings.TrimSpace(string(why))), err)
}

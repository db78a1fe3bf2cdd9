package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
)

// natsContext is a context of the nats command line tool, which gives address and login of the broker.
type natsContext struct {
	Context string `env:"CHATLANE_NATS_CONTEXT" name:"context" help:"Context of the nats command line tool: its address, login and certificates are used instead of the settings below."`
}

func (n natsContext) connect(ctx context.Context, p config.Program, s broker.Settings, name string) (*broker.Conn, error) {
	if n.Context != "" {
		env := func(variable string) string {
			for _, pair := range p.Environ {
				if value, ok := strings.CutPrefix(pair, variable+"="); ok {
					return value
				}
			}
			return ""
		}
		c, err := broker.ReadContext(broker.ContextDir(env("XDG_CONFIG_HOME"), env("HOME")), n.Context)
		if err != nil {
			return nil, fmt.Errorf("CHATLANE_NATS_CONTEXT: %w", err)
		}
		c.Namespace = s.Namespace
		s = c
	}
	dial := s.Config(name)
	dial.Program = "operator"
	return broker.Connect(ctx, dial)
}

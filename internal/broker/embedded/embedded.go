// Package embedded runs a nats-server with JetStream inside the process, for the one-command mode and for tests.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config of an embedded server. Only Dir is required.
type Config struct {
	Dir       string // JetStream's files, which survive restarts
	Listen    bool   // on a free loopback port; else in process only
	SyncEvery bool   // flush each write to disk before it is confirmed
}

// Server is a running embedded server.
type Server struct {
	s      *server.Server
	unlock func()
}

var ErrNotReady = errors.New("embedded NATS server did not come up")

var ErrInUse = errors.New("folder is in use by another process")

// Start runs a server until Stop, and waits at most 10 s for it. ErrInUse comes only where the system can tell.
func Start(cfg Config) (_ *Server, err error) {
	unlock, err := lock(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server in %s: %w; end it, or choose another folder", cfg.Dir, err)
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	s, err := server.NewServer(&server.Options{
		ServerName: "chatlane-embedded",
		JetStream:  true, StoreDir: cfg.Dir, SyncAlways: cfg.SyncEvery,
		DontListen: !cfg.Listen, Host: "127.0.0.1", Port: server.RANDOM_PORT,
		NoSigs: true, NoLog: true, MaxPayload: 2 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("configure embedded NATS server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, fmt.Errorf("%w in %s", ErrNotReady, cfg.Dir)
	}
	return &Server{s: s, unlock: unlock}, nil
}

// Option connects a client in process.
func (s *Server) Option() nats.Option { return nats.InProcessServer(s.s) }

// InProcessConn is one client connection, for tests that disturb it.
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// URL is the address that the server listens on, if it does.
func (s *Server) URL() string { return s.s.ClientURL() }

// Stop returns when the server's files are closed.
func (s *Server) Stop() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	s.unlock()
}

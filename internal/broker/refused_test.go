package broker_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/chatlane/chatlane/internal/broker"
)

// A server whose users were changed by mistake refuses every login until they are right
// again. The client must still be there then.
func TestConnectionOutlivesRefusedLogins(t *testing.T) {
	t.Parallel()
	users := func(password string) *server.Options {
		return &server.Options{
			Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Username: "u", Password: password,
		}
	}
	s, err := server.NewServer(users("right"))
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats-server is not ready")
	}
	c, err := broker.Connect(t.Context(), broker.Config{URL: s.ClientURL(), User: "u", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(t.Context()) }()
	before := s.NumClients()
	reload := func(password string) {
		o := users(password)
		o.Port = s.Addr().(*net.TCPAddr).Port
		if err := s.ReloadOptions(o); err != nil {
			t.Fatal(err)
		}
	}
	reload("wrong")
	eventually(t, "readiness says what the server said", func() bool {
		err := c.Ready(t.Context())
		return errors.Is(err, broker.ErrDisconnected) && strings.Contains(err.Error(), "Authorization Violation")
	})
	refused := time.NewTimer(3 * time.Second) // several attempts
	defer refused.Stop()
	select {
	case <-refused.C:
	case err := <-ended:
		t.Fatalf("the connection has ended: %v", err)
	}
	reload("right")
	eventually(t, "connected again", func() bool { return c.Ready(t.Context()) == nil })
	if n := s.NumClients(); n != before {
		t.Errorf("%d clients, want %d", n, before)
	}
}

// What ends for good is said, so that the process can end too.
func TestClosedConnectionIsSaid(t *testing.T) {
	t.Parallel()
	c, err := broker.Connect(t.Context(), broker.Config{URL: serve(t, &server.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(t.Context()) }()
	c.NATS().Close()
	if err := <-ended; !errors.Is(err, broker.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := c.Watch(stopped); err != nil {
		t.Errorf("%v after a stop, want none", err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(20 * time.Second)
	defer end.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

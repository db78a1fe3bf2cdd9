package ingress_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/queue"
)

// pipes is a listener whose connections stay in the process, for virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// client is one connection, as Telegram holds it.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (p *pipes) dial(t *testing.T) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return &client{t: t, conn: ours, in: bufio.NewReader(ours)}
}

// post sends an update and returns the answer's code, and whether the connection stays.
func (c *client) post() (code int, stays bool) {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://h/webhook/111", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	if err := r.Write(c.conn); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.in, r)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, !resp.Close
}

// get requests an unknown path, so that the connection becomes idle.
func (c *client) get() {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://h/", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := r.Write(c.conn); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.in, r)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func (c *client) closed() bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.in.Peek(1)
	var timeout net.Error
	return !errors.As(err, &timeout) || !timeout.Timeout()
}

// serve runs a server over s in virtual time until test returns.
func serve(t *testing.T, cfg ingress.Config, s *store, test func(t *testing.T, p *pipes, stop context.CancelFunc, done chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h, l := webhook(t, cfg, s, nil)
		ctx, stop := context.WithCancel(t.Context())
		p, done := newPipes(), make(chan error, 1)
		go func() { done <- ingress.NewServer(cfg, h, l.logger()).Serve(ctx, p) }()
		test(t, p, stop, done)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestOldConnectionIsClosedWithOneAnswer(t *testing.T) {
	serve(t, settings(), &store{}, func(t *testing.T, p *pipes, _ context.CancelFunc, _ chan error) {
		c := p.dial(t)
		began := time.Now()
		for {
			code, stays := c.post()
			if code != http.StatusOK {
				t.Fatalf("answered %d", code)
			}
			age := time.Since(began)
			if !stays {
				if age < 4*time.Minute || age > 6*time.Minute+time.Second {
					t.Errorf("closed after %s, want 5 min, a fifth more or less", age)
				}
				break
			}
			if age > 7*time.Minute {
				t.Fatal("never closed")
			}
			time.Sleep(time.Second)
		}
		if !c.closed() {
			t.Error("the connection stays open")
		}
		if _, stays := p.dial(t).post(); !stays {
			t.Error("a new connection is closed too")
		}
	})
}

func TestIdleConnectionOutlivesTelegramsTimeout(t *testing.T) {
	serve(t, settings(), &store{}, func(t *testing.T, p *pipes, _ context.CancelFunc, _ chan error) {
		c := p.dial(t)
		c.post()
		time.Sleep(70 * time.Second)
		if c.closed() {
			t.Fatal("closed before 70 s")
		}
		time.Sleep(10 * time.Second)
		if !c.closed() {
			t.Error("open after 80 s")
		}
	})
}

func TestSlowSendersAreCutOff(t *testing.T) {
	serve(t, settings(), &store{}, func(t *testing.T, p *pipes, _ context.CancelFunc, _ chan error) {
		head, slow := p.dial(t), p.dial(t)
		for c, text := range map[*client]string{
			head: "POST /webhook/111 HTTP/1.1\r\nHost:",
			slow: "POST /webhook/111 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nX-Telegram-Bot-Api-Secret-Token: " + secret + "\r\n\r\n{",
		} {
			if _, err := c.conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Second)
		if !head.closed() {
			t.Error("half a head holds its connection")
		}
		if resp, err := http.ReadResponse(slow.in, nil); err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("half a body is answered %v, %v", resp, err)
		}
	})
}

func TestDrainAnswersRequestsInFlight(t *testing.T) {
	confirm := make(chan struct{})
	taken := make(chan struct{}, 1)
	s := &store{publish: func(context.Context, queue.Update) error {
		taken <- struct{}{}
		<-confirm
		return nil
	}}
	h, l := webhook(t, settings(), s, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ingress.NewServer(settings(), h, l.logger()).Serve(ctx, ln) }()

	idle, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	(&client{t: t, conn: idle, in: bufio.NewReader(idle)}).get()
	busy, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	code := make(chan int, 1)
	go func() {
		c := &client{t: t, conn: busy, in: bufio.NewReader(busy)}
		got, _ := c.post()
		code <- got
	}()
	<-taken
	stop()
	for { // wait until the listener is closed
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		_ = c.Close()
	}
	select {
	case err := <-done:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	close(confirm)
	if c := <-code; c != http.StatusOK {
		t.Errorf("answered %d", c)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDrainEndsWithTheGracePeriod(t *testing.T) {
	cfg := settings()
	cfg.Grace = time.Second
	serve(t, cfg, &store{}, func(t *testing.T, p *pipes, stop context.CancelFunc, done chan error) {
		c := p.dial(t) // it never reads its answer
		if _, err := c.conn.Write([]byte("POST /webhook/111 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		began := time.Now()
		err := <-done
		if took := time.Since(began); err == nil || took > 2*time.Second {
			t.Errorf("ended after %s with %v", took, err)
		}
		done <- nil
	})
}

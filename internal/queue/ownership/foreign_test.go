package ownership_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

// foreign messages look like an answer of the broker or a delivery under another pin, or have unreadable headers.
func foreign(subject string) []*nats.Msg {
	with := func(data string, pairs ...string) *nats.Msg {
		m := nats.NewMsg(subject)
		m.Data = []byte(data)
		for i := 0; i < len(pairs); i += 2 {
			m.Header.Add(pairs[i], pairs[i+1])
		}
		return m
	}
	return []*nats.Msg{
		with("", "Status", "423"),
		with("", "Status", "404"),
		with("", "Status", "408", "Description", "Request Timeout"),
		with("", "Status", "409"),
		with("", "Status", "503"),
		with("{}", "Nats-Pin-Id", "evil"),
		with("", "Nats-Pin-Id", "evil", "Status", "423"),
		with("{}"),
	}
}

// storeUnreadable stores a message with a broken header block: the client library drops all of its headers.
func storeUnreadable(t *testing.T, s *embedded.Server, subject, header string) {
	t.Helper()
	conn, err := s.InProcessConn()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	server := bufio.NewReader(conn)
	if _, err := server.ReadString('\n'); err != nil { // INFO
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB %s %d %d\r\n%s{}\r\nPING\r\n", subject, len(header), len(header)+2, header); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.HasPrefix(line, "PONG"); {
		if line, err = server.ReadString('\n'); err != nil {
			t.Fatalf("%v after %q", err, line)
		}
	}
}

// Such a message costs its own update alone.
func TestForeignMessagesCostNoOwnership(t *testing.T) {
	for _, owned := range []bool{true, false} {
		t.Run(fmt.Sprintf("owned_%v", owned), func(t *testing.T) {
			natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
				c := queuetest.Connect(t, s)
				defer c.Close(t.Context())
				var seen seenSequences
				total := 0
				if owned {
					_, reg := queuetest.Run(t.Context(), t, c, seen.attempt)
					defer func() {
						wantOneTakeover(t, queuetest.Resets(t, reg, "takeover"), queuetest.Resets(t, reg, "redelivery"))
					}()
					queuetest.Publish(t, c, 1, 3)
					total += 3
					time.Sleep(time.Second)
				}
				for range 8 {
					for _, m := range foreign(broker.Names{}.UpdatesPrefix() + "0.42.c:7") {
						if _, err := c.JetStream().PublishMsg(t.Context(), m); err != nil {
							t.Fatal(err)
						}
						total++
					}
				}
				for _, header := range []string{"NATS/1.0\r\nno colon\r\n\r\n", "nonsense\r\n\r\n", "NATS/1.0 423\r\n\r\n", "NATS/1.0\r\nNats-Pin-Id: a", "NATS/1.0\r\nNats-Pin-Id: wGv29328xKKHLSsNWHgPam\r\n\r\n\r\n"} {
					storeUnreadable(t, s, broker.Names{}.UpdatesPrefix()+"0.42.c:7", header)
					total++
				}
				queuetest.Publish(t, c, 4, 6)
				total += 3
				if !owned {
					_, reg := queuetest.Run(t.Context(), t, c, seen.attempt)
					defer func() {
						wantOneTakeover(t, queuetest.Resets(t, reg, "takeover"), queuetest.Resets(t, reg, "redelivery"))
					}()
				}
				time.Sleep(30 * time.Second)
				synctest.Wait()
				if got := seen.count(); got != total {
					t.Errorf("%d updates were handed out, want %d, the foreign ones among them", got, total)
				}
			})
		})
	}
}

func wantOneTakeover(t *testing.T, takeovers, redeliveries int) {
	t.Helper()
	if takeovers != 1 || redeliveries != 0 {
		t.Errorf("%d takeovers and %d redeliveries, want one takeover", takeovers, redeliveries)
	}
}

type seenSequences struct {
	mu  sync.Mutex
	all map[uint64]bool
}

func (s *seenSequences) attempt(d *queue.Delivery) queue.Attempt {
	return func(ctx context.Context) queue.Next {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.all == nil {
			s.all = make(map[uint64]bool)
		}
		s.all[d.Seq] = true
		_ = d.Ack(ctx)
		return queue.Next{}
	}
}

func (s *seenSequences) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

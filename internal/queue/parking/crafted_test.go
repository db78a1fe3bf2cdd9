package parking_test

import (
	"maps"
	"math"
	"strconv"
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

// Its turn would move the lane's cursor to any position, past updates without an answer.
func TestCraftedCopyIsNotHandedOut(t *testing.T) {
	for name, h := range map[string]func(created int64) nats.Header{
		"above the stream's last": func(created int64) nats.Header { return position(math.MaxInt64, created) },
		"just above the last":     func(created int64) nats.Header { return position(5, created) },
		"of a later stream":       func(created int64) nats.Header { return position(1, created+1) },
		"of no stream":            func(int64) nats.Header { return position(1, 0) },
		"without a position":      func(int64) nats.Header { return nats.Header{} },
		"negative":                func(created int64) nats.Header { return position(-1, created) },
	} {
		t.Run(name, func(t *testing.T) {
			natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
				c := queuetest.Connect(t, s)
				defer c.Close(t.Context())
				u := queuetest.Update(100, 999)
				crafted := u.EncodeHeader()
				maps.Copy(crafted, h(created(t, c)))
				store(t, c, crafted, "{}")
				var j queuetest.Journal
				queuetest.Publish(t, c, 1, 4)
				queuetest.Start(t, c, j.Attempt)
				time.Sleep(30 * time.Second)
				synctest.Wait()
				for _, id := range j.Seen() {
					if id == 999 {
						t.Error("the crafted copy was handed out")
					}
				}
				if len(j.Seen()) != 3 {
					t.Errorf("the other lanes' updates: %v, want 3", j.Seen())
				}
			})
		})
	}
}

// Stored headers may name another message.
func TestCopyIsReadAndRemovedByItsOwnSequence(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		queuetest.Publish(t, c, 1, 3)
		u := queuetest.Update(101, 77)
		for _, extra := range []nats.Header{{"Status": {"404"}}, {"Nats-Sequence": {"1"}}} {
			h := u.EncodeHeader()
			maps.Copy(h, position(1, created(t, c)))
			maps.Copy(h, extra)
			store(t, c, h, "")
		}
		var j queuetest.Journal
		queuetest.Start(t, c, j.Attempt)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		queuetest.NothingLeft(t, c)
	})
}

func created(t *testing.T, c *broker.Conn) int64 {
	t.Helper()
	s, err := c.Stream(t.Context(), c.Names().Updates())
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Created.UnixNano()
}

func position(seq, stream int64) nats.Header {
	return nats.Header{
		queue.HeaderSequence: {strconv.FormatInt(seq, 10)}, queue.HeaderStream: {strconv.FormatInt(stream, 10)},
	}
}

// store puts a message into PARKED, as a stranger may: in lane 42:c:100, or 42:c:101 if it has no body.
func store(t *testing.T, c *broker.Conn, h nats.Header, body string) {
	t.Helper()
	subject := c.Names().ParkedPrefix() + "0.42.c:100"
	if body == "" {
		subject = c.Names().ParkedPrefix() + "0.42.c:101"
	}
	if _, err := c.JetStream().PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: h, Data: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

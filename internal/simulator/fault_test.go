package simulator_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/simulator/simtest"
	"github.com/chatlane/chatlane/test/simctl"
)

// try makes a call that may fail and returns its status, 0 without an answer.
func try(ctx context.Context, base string, chat int) int {
	body := fmt.Sprintf(`{"chat_id":%d,"text":"hi"}`, chat)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/bot"+simulator.Token+"/sendMessage", strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}

func TestFaultsHitBySeedWhateverTheOrder(t *testing.T) {
	outcome := func(seed uint64, chats []int) map[int][]int {
		tg := simulator.New(simulator.Config{AnyChat: true, Seed: seed})
		tg.Faults(simctl.Faults(seed,
			simctl.Rule{Method: "sendMessage", Rate: 0.3, Fault: simulator.Fault{Status: 429, RetryAfter: 3}},
			simctl.Rule{Chat: 2, Skip: 1, Times: 1, Fault: simulator.Fault{Status: 500}},
		))
		base := simtest.Serve(t, tg)
		out := map[int][]int{}
		for _, chat := range chats {
			out[chat] = append(out[chat], try(t.Context(), base, chat))
		}
		return out
	}
	a := outcome(1, []int{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3})
	b := outcome(1, []int{3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1})
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the same calls in another order:\n%v\n%v", a, b)
	}
	all := fmt.Sprint(a)
	if !strings.Contains(all, "429") || !strings.Contains(all, "200") || strings.Count(fmt.Sprint(a[2]), "500") != 1 {
		t.Errorf("outcomes: %v", a)
	}
}

func TestEachFaultHasItsEffect(t *testing.T) {
	for _, c := range []struct {
		name     string
		fault    simulator.Fault
		patience time.Duration // of the caller
		status   int
		executed bool
		gone     bool
	}{
		{"hang up before executing", simulator.Fault{HangUp: true}, time.Minute, 0, false, false},
		{"lose the answer", simulator.Fault{LoseAnswer: true}, time.Minute, 0, true, true},
		{"latency", simulator.Fault{Latency: 20 * time.Millisecond}, time.Minute, 200, true, false},
		{"latency, caller leaves", simulator.Fault{Latency: 5 * time.Second}, 20 * time.Millisecond, 0, true, true},
		{"hang, caller stays", simulator.Fault{Hang: 20 * time.Millisecond}, time.Minute, 200, true, false},
		{"hang, caller leaves", simulator.Fault{Hang: 5 * time.Second}, 20 * time.Millisecond, 0, false, false},
		{"withhold, caller leaves", simulator.Fault{Withhold: 5 * time.Second}, 20 * time.Millisecond, 0, true, true},
		{"500", simulator.Fault{Status: 500}, time.Minute, 500, false, false},
		{"502", simulator.Fault{Status: 502}, time.Minute, 502, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tg := simulator.New(simulator.Config{AnyChat: true})
			tg.Faults(simctl.Faults(0, simctl.Rule{Chat: 1, Times: 1, Fault: c.fault}))
			base := simtest.Serve(t, tg)
			ctx, cancel := context.WithTimeout(t.Context(), c.patience)
			defer cancel()
			if status := try(ctx, base, 1); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if try(t.Context(), base, 2) != 200 {
				t.Error("the other chat is served")
			}
			if c.executed {
				err := tg.Await(within(t, 5*time.Second), func(calls []simulator.Call) bool {
					for _, call := range calls {
						if call.Chat == 1 && call.Gone == c.gone {
							return true
						}
					}
					return false
				})
				if err != nil {
					t.Errorf("%v: %+v", err, tg.Calls())
				}
				return
			}
			if got := tg.Calls(simulator.Filter{Chat: 1}); len(got) != 0 {
				t.Errorf("calls: %+v", got)
			}
		})
	}
}

// request is a call as bytes on the wire.
func request(chat int) string {
	body := fmt.Sprintf(`{"chat_id":%d,"text":"hi"}`, chat)
	return fmt.Sprintf("POST /bot%s/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		simulator.Token, len(body), body)
}

func TestCallerThatLeavesWithTheAnswerUnreadIsGone(t *testing.T) {
	tg := simulator.New(simulator.Config{AnyChat: true})
	base := simtest.Serve(t, tg)
	for chat := 1; chat <= 2; chat++ {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request(chat)); err != nil {
			t.Fatal(err)
		}
		if chat == 1 { // the answer stays unread in the socket
			buf := make([]byte, 1)
			if _, err := conn.Read(buf); err != nil {
				t.Fatal(err)
			}
		} else {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		_ = conn.Close()
	}
	for len(tg.Calls()) < 2 || tg.Calls()[1].Closed.IsZero() || tg.Calls()[0].Closed.IsZero() {
		select {
		case <-within(t, 5*time.Second).Done():
			t.Fatalf("no end seen: %+v", tg.Calls())
		case <-time.After(time.Millisecond):
		}
	}
	if c := tg.Calls(); !c[0].Gone || c[1].Gone {
		t.Errorf("gone: %v for the unread answer, %v for the one that was read", c[0].Gone, c[1].Gone)
	}
}

// TestKilledCaller is the process that the tests below kill: it calls, reads the answer if told to, and waits
// for its end.
func TestKilledCaller(t *testing.T) {
	addr := os.Getenv("SIMULATOR_TEST_ADDRESS")
	if addr == "" {
		t.Skip("only as a process of its own")
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, request(1))
	if os.Getenv("SIMULATOR_TEST_READS") != "" {
		_, _ = http.ReadResponse(bufio.NewReader(conn), nil)
		_, _ = io.WriteString(conn, request(2)[:20]) // shows the server that the answer was read
	}
	_, _ = os.Stdout.WriteString("called")
	select {}
}

// killCaller starts such a process and kills it after its call.
func killCaller(t *testing.T, base, reads string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledCaller$")
	cmd.Env = append(os.Environ(), "SIMULATOR_TEST_ADDRESS="+strings.TrimPrefix(base, "http://"), "SIMULATOR_TEST_READS="+reads)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("called"))); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func TestCallOfAKilledCallerIsGoneUnlessItReadTheAnswer(t *testing.T) {
	for reads, gone := range map[string]bool{"": true, "yes": false} {
		tg := simulator.New(simulator.Config{AnyChat: true})
		base := simtest.Serve(t, tg)
		killCaller(t, base, reads)
		if gone {
			err := tg.Await(within(t, 5*time.Second), func(calls []simulator.Call) bool { return len(calls) == 1 && calls[0].Gone })
			if err != nil {
				t.Errorf("%v: %+v", err, tg.Calls())
			}
			continue
		}
		for len(tg.Calls()) == 0 || tg.Calls()[0].Closed.IsZero() {
			time.Sleep(time.Millisecond)
		}
		if c := tg.Calls()[0]; c.Gone {
			t.Errorf("read and gone: %+v", c)
		}
	}
}

func serveCaller(t *testing.T, tg *simulator.Telegram, caller string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tg.ServeAPI(ctx, l, caller) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// allAnswered waits until the record has n calls, each with the time of its answer. That time is noted a
// little after the caller has its answer.
func allAnswered(t *testing.T, tg *simulator.Telegram, n int) {
	t.Helper()
	err := tg.Await(t.Context(), func(calls []simulator.Call) bool {
		return len(calls) == n && !slices.ContainsFunc(calls, func(c simulator.Call) bool { return c.Answered.IsZero() })
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStopExcusesOnlyUnrecordedCalls(t *testing.T) {
	tg := simulator.New(simulator.Config{AnyChat: true})
	a, b := serveCaller(t, tg, "a"), serveCaller(t, tg, "b")
	for chat := 1; chat <= 3; chat++ {
		try(t.Context(), a, chat)
		try(t.Context(), b, chat+10)
	}
	try(t.Context(), a, 1) // so chat 1's first call was recorded
	allAnswered(t, tg, 7)
	tg.Stopped("a", func(c simulator.Call) bool { return c.Chat == 2 })
	try(t.Context(), a, 4) // a call under way is answered, but the caller cannot read it
	try(t.Context(), b, 14)
	allAnswered(t, tg, 9)
	tg.Resumed("a")
	try(t.Context(), a, 5)
	for _, c := range tg.Calls() {
		stop, gone := 0, c.Chat == 4
		if c.Chat == 3 || c.Chat == 1 && c.Seq == 6 {
			stop = 1
		}
		if c.Stop != stop || c.Gone != gone {
			t.Errorf("%s in chat %d: stop %d and gone %v, want %d and %v", c.Caller, c.Chat, c.Stop, c.Gone, stop, gone)
		}
	}
}

// A frozen process keeps its sockets, and has not read what waits in them.
func TestStopExcusesUnreadAnswers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what a process has not read")
	}
	tg := simulator.New(simulator.Config{AnyChat: true})
	base := serveCaller(t, tg, "a")
	call := func(chat int) net.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		path := fmt.Sprintf("/bot%s/sendMessage?chat_id=%d&text=hello", simulator.Token, chat)
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: telegram\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		return c
	}
	heard, unheard := call(1), call(2)
	if resp, err := http.ReadResponse(bufio.NewReader(heard), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("no answer: %v", err)
	}
	if n, err := unheard.Read(make([]byte, 1)); n != 1 { // the answer has arrived; all but one byte stays unread
		t.Fatalf("no answer: %v", err)
	}
	allAnswered(t, tg, 2)
	tg.Stopped("a", func(simulator.Call) bool { return false })
	for _, c := range tg.Calls() {
		if want := c.Chat == 2; c.Gone != want || c.Stop != 1 {
			t.Errorf("chat %d: gone %v at stop %d, want %v at 1", c.Chat, c.Gone, c.Stop, want)
		}
	}
}

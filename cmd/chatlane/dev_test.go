package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/simulator"
)

// chat runs dev on a folder with what a person types, and gives what is printed.
func chat(t *testing.T, dir string, lines ...string) string {
	t.Helper()
	var out, log bytes.Buffer
	p := config.Program{Stdin: strings.NewReader(strings.Join(lines, "\n") + "\n"), Stdout: &out, Stderr: &log}
	if code := run(t.Context(), p, []string{"dev", "--data", dir}); code != 0 {
		t.Fatalf("exits with %d: %s", code, &log)
	}
	return out.String()
}

// What was begun in one session goes on in the next one, in the same folder.
func TestConversationGoesOnInTheNextSession(t *testing.T) {
	dir := t.TempDir()
	if got := chat(t, dir, "/start"); !strings.Contains(got, "name") {
		t.Errorf("the first session prints:\n%s", got)
	}
	if got := chat(t, dir, "Ann", "29"); !strings.Contains(got, "Nice to meet you, Ann, 29 years old.") {
		t.Errorf("the second session prints:\n%s", got)
	}
}

func TestSimulatedPeopleAreKeptApart(t *testing.T) {
	got := chat(t, t.TempDir(), "/tally", "one", "/users 2", "/tally", "uno", "/users 1", "two")
	for _, want := range []string{"1. one", "1. uno", "2. two"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

func TestDemoPrintsWhatEachSaw(t *testing.T) {
	var out, log bytes.Buffer
	p := config.Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	if code := run(t.Context(), p, []string{"dev", "--demo"}); code != 0 {
		t.Fatalf("exits with %d: %s", code, &log)
	}
	var people []string
	for line := range strings.Lines(out.String()) {
		if name, ok := strings.CutPrefix(line, "--- "); ok {
			people = append(people, strings.TrimSpace(name))
		}
	}
	if !slices.Equal(people, []string{"Ann", "Ben", "Cleo", "Dan", "Elena"}) || !strings.Contains(out.String(), "< 3. plums") {
		t.Errorf("the demo prints:\n%s", &out)
	}
}

func TestDevNamesItsOwnSetting(t *testing.T) {
	var out, log bytes.Buffer
	p := config.Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	if code := run(t.Context(), p, []string{"dev", "--token", "abc", "--data", t.TempDir()}); code != config.ExitUsage || !strings.Contains(log.String(), "CHATLANE_TOKEN: ") {
		t.Errorf("exits with %d: %s%s", code, &out, &log)
	}
}

// An answer that is on its way when the input ends reaches the worker: lost, its call
// would be made again in the next session, and the last answer there would be cut off.
func TestAnswerOnItsWayAtTheEndIsNotRepeatedInTheNextSession(t *testing.T) {
	dir := t.TempDir()
	session := func(withhold time.Duration, lines ...string) string {
		t.Helper()
		server, err := embedded.Start(embedded.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Stop()
		var out, log bytes.Buffer
		p := config.Program{Stdin: strings.NewReader(strings.Join(lines, "\n") + "\n"), Stdout: &out, Stderr: &log}
		h := &house{p: p, server: server, telegram: simulator.New(simulator.Config{Seed: uint64(time.Now().UnixNano())})}
		h.telegram.Faults(func(string, int64) simulator.Fault { return simulator.Fault{Withhold: withhold} })
		if err := h.run(t.Context()); err != nil {
			t.Fatalf("%v: %s", err, &log)
		}
		return out.String()
	}
	if got := session(500*time.Millisecond, "/start"); !strings.Contains(got, "name") {
		t.Errorf("the first session prints:\n%s", got)
	}
	got := session(0, "Ann", "29")
	if strings.Count(got, "[1] ") != 2 || !strings.Contains(got, "Nice to meet you, Ann, 29 years old.") {
		t.Errorf("the second session prints:\n%s", got)
	}
}

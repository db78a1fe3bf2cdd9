package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// chat runs dev on a folder with what a person types, and gives what is printed.
func chat(t *testing.T, dir string, lines ...string) string {
	t.Helper()
	var out, log bytes.Buffer
	p := program{in: strings.NewReader(strings.Join(lines, "\n") + "\n"), out: &out, err: &log}
	if code := p.run(t.Context(), []string{"dev", "--data", dir}); code != 0 {
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
	p := program{in: strings.NewReader(""), out: &out, err: &log}
	if code := p.run(t.Context(), []string{"dev", "--demo"}); code != 0 {
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
	p := program{in: strings.NewReader(""), out: &out, err: &log}
	if code := p.run(t.Context(), []string{"dev", "--token", "abc", "--data", t.TempDir()}); code != exitUsage || !strings.Contains(log.String(), "CHATLANE_TOKEN: ") {
		t.Errorf("exits with %d: %s%s", code, &out, &log)
	}
}

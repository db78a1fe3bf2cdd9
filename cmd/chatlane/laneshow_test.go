package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/journal"
)

func TestLaneShowTellsAllThatTheServersHaveOfAChat(t *testing.T) {
	p, _, conn, _ := parkedChats(t)
	url, out := redistest.Start(t).URL, new(buffer)
	p.Stdout, p.Stderr, p.Environ = out, out, append(p.Environ, "CHATLANE_REDIS_URL="+url)
	worker := redisStore(t, url)
	first := turnOf(t, worker, 7)
	first.SetState("order:size")
	first.SetData([]byte(`{"note":"whisper"}`))
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	running := turnOf(t, worker, 8)
	made, err := journal.Entry{Status: journal.Result, Name: "sendMessage", At: time.Now(), Result: []byte(`{"text":"whisper"}`)}.Encode()
	refused, err2 := journal.Entry{Status: journal.Refused, Refusal: &journal.Refusal{Method: "sendMessage", Code: 403}}.Encode()
	if err := errors.Join(err, err2, running.Record(t.Context(), 0, made), running.Record(t.Context(), 1, refused), running.Fail(t.Context(), 2)); err != nil {
		t.Fatal(err)
	}
	scope := lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 316, User: 316}
	letter := deadletter.Letter{Bot: 42, Update: 5, Type: "message", Scope: scope, Lane: "42:c:316", Reason: deadletter.ReasonPanic, Error: "whisper", Body: []byte(`{}`), Died: time.Now()}
	if err := deadletter.New(conn).Put(t.Context(), letter); err != nil {
		t.Fatal(err)
	}

	var r laneReport
	said := command(t, p, out, "lane show --json --bot=42 316")
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if r.Lane != "42:c:316" || r.Parked != 1 || r.Queued != 0 || r.Dead != 1 || r.ParkedFor != "waiting" || time.Until(r.NextAttempt) < 50*time.Minute ||
		!r.Locked || !r.Pinned || time.Since(r.OwnedSince) > time.Minute || r.Cursor != 7 || r.JournalOf != 8 || r.Attempts != 2 {
		t.Errorf("shows %s", said)
	}
	if len(r.Updates) != 1 || r.Updates[0].Update != 1 || r.Updates[0].Where != "parked" || len(r.Letters) != 1 || r.Letters[0].Reason != "panic" {
		t.Errorf("updates %+v, dead letters %+v", r.Updates, r.Letters)
	}
	if len(r.Journal) != 2 || r.Journal[0].Outcome != "done" || r.Journal[0].Method != "sendMessage" || time.Since(r.Journal[0].At) > time.Minute ||
		r.Journal[1].Outcome != "refused with 403" || r.Journal[1].Method != "sendMessage" {
		t.Errorf("journal %+v", r.Journal)
	}
	if len(r.States) != 1 || r.States[0] != (stateLine{"42:c:316:u:316", "order:size", len(`{"note":"whisper"}`)}) {
		t.Errorf("states %+v", r.States)
	}
	text := command(t, p, out, "lane show 42:c:316")
	for _, want := range []string{"runs: update 1 (message)", "held: a turn runs", "order:size", "2 calls of sequence 8, 2 failed attempts", "refused with 403", "0 queued, 1 parked, 1 dead", "panic"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(said+text, "whisper") {
		t.Errorf("shows what people wrote: %s%s", said, text)
	}
	if err := running.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text = command(t, p, out, "lane show 316"); !strings.Contains(text, "parked (waiting) until ") {
		t.Errorf("with the turn given up: %s", text)
	}
}

func TestLaneShowOfAChatWithoutUpdates(t *testing.T) {
	p, _, _, _ := parkedChats(t)
	out := new(buffer)
	p.Stdout, p.Stderr, p.Environ = out, out, append(p.Environ, "CHATLANE_REDIS_URL="+redistest.Start(t).URL)
	if text := command(t, p, out, "lane show --bot=42 317"); !strings.Contains(text, "idle: nothing waits") || !strings.Contains(text, "no commit yet") {
		t.Errorf("shows %s", text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := &twice{stop: cancel}
	watched := p
	watched.Stdout = lines
	if code := run(ctx, watched, []string{"lane", "show", "--watch", "--json", "42:c:317"}); code != 0 || lines.lines != 2 {
		t.Errorf("watching exits with %d after %d lines", code, lines.lines)
	}
	for line, want := range map[string]string{"lane show 317": "nothing of chat 317 is stored", "lane show chat": "neither a chat id nor a lane"} {
		out.Take()
		if code := run(t.Context(), p, strings.Fields(line)); code != 2 || !out.Has(want) {
			t.Errorf("%s: exits with %d: %s", line, code, out.Take())
		}
	}
}

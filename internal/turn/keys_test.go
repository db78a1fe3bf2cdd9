package turn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

var writeGolden = flag.Bool("update", false, "write the golden files")

// Every situation of all 29 update types: lane by each lane key, state by each strategy.
func TestLaneAndStateOfEveryUpdateType(t *testing.T) {
	text, err := os.ReadFile("../telegram/update/testdata/envelopes.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	var got strings.Builder
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		var s struct {
			Name   string
			Update json.RawMessage
		}
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		e, err := update.Peek(42, s.Update)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		types[e.Type] = true
		fmt.Fprintf(&got, "%s (%s)\n", s.Name, e.Type)
		for i, name := range lane.Names() {
			fmt.Fprintf(&got, "  lane  %-12s %s\n", name, lane.By(i).Key(e.Scope))
		}
		for _, name := range []string{"user_in_chat", "chat", "global_user", "user_in_topic", "chat_topic"} {
			strategy, err := fsm.ParseStrategy(name)
			if err != nil {
				t.Fatal(err)
			}
			r := &Runner{cfg: Config{Strategy: strategy}}
			k := r.keys(&queue.Delivery{Update: queue.Update{Scope: e.Scope, Lane: lane.ByChat.Key(e.Scope)}})
			fmt.Fprintf(&got, "  state %-13s %s\n", name, k.State)
		}
	}
	for _, want := range update.Types() {
		if !types[want] {
			t.Errorf("no situation of type %s", want)
		}
	}
	golden(t, "testdata/keys.golden", got.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *writeGolden {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

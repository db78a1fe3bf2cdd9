package bot_test

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// drawn is a router that says about its states all that can be said.
func drawn() *bot.Router {
	r := bot.New("pizza")
	order := r.Flow("order")
	order.Allow(bot.None, quantity).Allow(quantity, address).Allow(address, confirm)
	order.OnEnter(nothing, confirm)
	r.Message(nothing, bot.Command("order")).To(quantity)
	r.Message(nothing, bot.InState(quantity), bot.Regexp(`^\d+$`).Named(`a "number"`)).To(address)
	r.Message(nothing, bot.Command("cancel"), bot.InAnyState()).To(bot.None)
	r.Message(nothing, bot.InFlow("order"), bot.Text("restart")).To(quantity)
	r.Message(nothing, bot.InState("alone"))
	r.OnTimeout(nothing, time.Hour, confirm).To(bot.None)
	shop := hotel()
	r.Include(shop)
	return r
}

// What a route asks for and what the guards above it ask for hold both.
func TestGraphKnowsGuardsAndCombinations(t *testing.T) {
	t.Parallel()
	r, desk := bot.New("r"), bot.New("desk")
	r.Include(desk)
	desk.Guard(bot.InFlow("order"))
	desk.Message(nothing, bot.Text("guarded")).To(confirm)
	desk.Message(nothing, bot.InState(quantity), bot.Text("both")).To(confirm)
	r.Message(nothing, bot.And(bot.InFlow("order"), bot.InState(address)), bot.Text("and")).To(confirm)
	r.Message(nothing, bot.Or(bot.InState(address), bot.InState(quantity)).Named("or")).To(confirm)
	r.Message(nothing, bot.Or(bot.InState(address), bot.Command("x")).Named("or not")).To(confirm)
	r.Message(nothing, bot.InState(quantity), bot.InState(address), bot.Text("never")).To(confirm)
	got := map[string][]bot.State{}
	for _, e := range r.Graph().Edges {
		got[e.Label] = append(got[e.Label], e.From)
	}
	want := map[string][]bot.State{
		"guarded": {address, confirm, quantity}, "both": {quantity}, "and": {address},
		"or": {address, quantity}, "or not": {bot.None},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ways by label (-want +got):\n%s", diff)
	}
}

func TestGraphOfStates(t *testing.T) {
	t.Parallel()
	g := drawn().Graph()
	var mermaid, dot strings.Builder
	if err := g.WriteMermaid(&mermaid); err != nil {
		t.Fatal(err)
	}
	if err := g.WriteDOT(&dot); err != nil {
		t.Fatal(err)
	}
	golden(t, "graph.mermaid", mermaid.String())
	golden(t, "graph.dot", dot.String())
	for format, want := range map[string]string{"mermaid": mermaid.String(), "dot": dot.String()} {
		var got strings.Builder
		if err := g.Write(&got, format); err != nil || got.String() != want {
			t.Errorf("as %s: %v\n%s", format, err, &got)
		}
	}
	if err := g.Write(io.Discard, "png"); err == nil {
		t.Error("a format that nobody knows is written")
	}
	want := bot.Edge{From: confirm, To: bot.None, Label: "after 1h"}
	if !slices.Contains(g.Edges, want) || len(g.States) != 6 || g.Name != "pizza" {
		t.Errorf("graph is %+v", g)
	}
}

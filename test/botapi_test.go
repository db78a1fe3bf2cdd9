package test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

// specified are the names of one kind in the pinned list of what the Bot API has.
func specified(t *testing.T, kind string) (names []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/botapi.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), kind+" "); ok {
			names = append(names, name)
		}
	}
	return names
}

// A new version of the Bot API adds lines to the list; each is then decided about in every room.
func TestEveryUpdateTypeOfTheSpecificationIsDecidedAbout(t *testing.T) {
	types := specified(t, "update")
	if len(types) != 29 {
		t.Errorf("%d types in the list, want 29", len(types))
	}
	asked := bot.AnyUpdate.Names()
	for _, name := range types {
		if !update.IsKnown(name) {
			t.Errorf("%s: internal/telegram/update has no route", name)
		}
		if bot.TypeOf(name) == bot.Unknown || !slices.Contains(asked, name) {
			t.Errorf("%s: package bot has no type, and asks Telegram for none", name)
		}
		// Everything that a route may need. One that goes nowhere all the same is no route.
		const person = `{"id":6,"is_bot":false,"first_name":"A"}`
		body := `{"update_id":1,"` + name + `":{"id":"x","from":` + person + `,"user":` + person + `,"chat":{"id":-5,"type":"group"},"business_connection_id":"b"}}`
		if e, err := update.Peek(42, []byte(body)); err != nil || e.Type != name || e.Kind == lane.KindOther {
			t.Errorf("%s: goes to %+v, %v", name, e, err)
		}
	}
	for _, name := range update.Types() {
		if !slices.Contains(types, name) {
			t.Errorf("%s has a route, and is not in the list", name)
		}
	}
}

func TestEveryMethodOfTheSpecificationIsDecidedAbout(t *testing.T) {
	methods := specified(t, "method")
	if len(methods) < 190 {
		t.Errorf("%d methods in the list, want 190 or more", len(methods))
	}
	for _, name := range methods {
		if !api.IsMethod(name) || api.Method(strings.ToUpper(name)) != name {
			t.Errorf("%s: internal/telegram/api does not know it", name)
		}
	}
}

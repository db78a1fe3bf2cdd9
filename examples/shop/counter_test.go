package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// database opens an empty one.
func database(t *testing.T) *sql.DB {
	t.Helper()
	db, err := openDatabase(t.Context(), filepath.Join(t.TempDir(), "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestOrdersAreWrittenAndShown(t *testing.T) {
	t.Parallel()
	o := orders{database(t)}
	world := bottest.New(t, counter(o))
	ann, ben := world.Person("Ann"), world.Person("Ben")
	ann.Say("/buy tea")
	ann.Expect("Order 1: tea.")
	ben.Say("/buy")
	ben.Say("/buy two cakes")
	ben.Expect("What? Such as: /buy tea", "Order 2: two cakes.")
	ann.Say("/buy cups")
	ann.Say("/mine")
	ann.Expect("Order 3: cups.", "Your latest orders:\n3 cups\n1 tea")
	ann.Say("hello")
	ann.Expect("/buy something, or look at what is yours: /mine")

	page := httptest.NewRecorder()
	pages(o).ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders", nil))
	if body := page.Body.String(); page.Code != http.StatusOK || !strings.Contains(body, `"item":"tea"`) || !strings.Contains(body, `"item":"two cakes"`) {
		t.Errorf("/orders answers %d: %s", page.Code, body)
	}
}

// A crash after the write and before the journal's: the turn is tried again, and writes again.
func TestAnUpdateHasOneOrderOnly(t *testing.T) {
	t.Parallel()
	o := orders{database(t)}
	for _, n := range []struct {
		order order
		want  int64
	}{
		{order{Bot: 1, Update: 7, Chat: 5, Item: "tea"}, 1},
		{order{Bot: 1, Update: 7, Chat: 5, Item: "tea"}, 1},
		{order{Bot: 2, Update: 7, Chat: 5, Item: "cake"}, 2},
		{order{Bot: 1, Update: 8, Chat: 5, Item: "tea"}, 3},
	} {
		if number, err := o.add(t.Context(), n.order); err != nil || number != n.want {
			t.Errorf("%+v has number %d, %v, want %d", n.order, number, err, n.want)
		}
	}
}

func TestAChatWaitsForABusyDatabase(t *testing.T) {
	t.Parallel()
	db := database(t)
	other, err := db.BeginTx(t.Context(), nil) // an immediate one: it holds the write lock
	if err != nil {
		t.Fatal(err)
	}
	world := bottest.New(t, counter(orders{db}))
	ann := world.Person("Ann")
	failure := world.Fails(func() { ann.Say("/buy tea") })
	if _, waits := errors.AsType[*bot.UnavailableError](failure); !waits {
		t.Errorf("the turn fails with %v, want an UnavailableError", failure)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	ann.Say("/buy tea")
	ann.Expect("Order 1: tea.")
}

func TestHealthIsThatOfTheDatabase(t *testing.T) {
	t.Parallel()
	db := database(t)
	get := func() int {
		page := httptest.NewRecorder()
		pages(orders{db}).ServeHTTP(page, httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "/healthz", nil))
		return page.Code
	}
	if code := get(); code != http.StatusOK {
		t.Errorf("/healthz answers %d", code)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if code := get(); code != http.StatusServiceUnavailable {
		t.Errorf("/healthz of a closed database answers %d", code)
	}
}

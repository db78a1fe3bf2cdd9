package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/chatlane/chatlane/bot"
)

func TestKeptDataIsMigrated(t *testing.T) {
	t.Parallel()
	type v2 struct{ Count int }
	store := map[string]*memory{}
	old := bot.New("old")
	old.Message(func(ctx context.Context, t *bot.Turn) error { return bot.SetStateWith(ctx, t, "order:amount", 3) })

	current := bot.New("current")
	var lift bot.Migration = func(from int, state bot.State, data json.RawMessage) (bot.State, json.RawMessage, error) {
		if state == "order:gone" {
			return "", nil, errors.New("no such state any more")
		}
		return quantity, fmt.Appendf(nil, `{"Count":%s,"From":%d}`, data, from), nil
	}
	current.Flow("order").Version(2, lift)
	var got v2
	current.Message(func(_ context.Context, t *bot.Turn) (err error) {
		got, err = bot.Data[v2](t)
		return err
	}, bot.InState(quantity))
	current.Message(goes)

	answer := func(r *bot.Router, who, text string) error {
		m := store[who]
		if m == nil {
			m = &memory{}
			store[who] = m
		}
		return compiled(t, r).Answer(t.Context(), bot.NewTurn(partsFor(text, m)))
	}
	for _, state := range []struct {
		router *bot.Router
		text   string
	}{{old, "hi"}, {current, "look"}, {current, "look again"}} {
		if err := answer(state.router, "ann", state.text); err != nil {
			t.Fatal(err)
		}
	}
	if got.Count != 3 || store["ann"].state != string(quantity) {
		t.Errorf("migrated to %+v at %q", got, store["ann"].state)
	}
	if err := answer(current, "bob", string(quantity)); err != nil { // begun in version 2
		t.Fatal(err)
	}
	if err := answer(current, "bob", "look"); err != nil {
		t.Fatal(err)
	}
	store["eve"] = &memory{state: "order:gone"}
	if err := answer(current, "eve", "look"); err == nil || store["eve"].state != "order:gone" {
		t.Errorf("a migration that fails: %v, state %+v", err, store["eve"])
	}
	older := bot.New("older")
	older.Flow("order")
	if err := answer(older, "bob", "look"); !errors.Is(err, bot.ErrVersion) {
		t.Errorf("data of a newer version: %v", err)
	}
}

// memory is the plainest state.
type memory struct {
	state      string
	data, meta []byte
}

func (m *memory) State() string      { return m.state }
func (m *memory) SetState(s string)  { m.state = s }
func (m *memory) Data() []byte       { return m.data }
func (m *memory) SetData(raw []byte) { m.data = raw }
func (m *memory) Meta() []byte       { return m.meta }
func (m *memory) SetMeta(raw []byte) { m.meta = raw }

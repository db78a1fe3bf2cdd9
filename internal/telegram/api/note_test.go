package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	ta "github.com/mymmrac/telego/telegoapi"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

func TestAStepIsDoneOnceOverAllAttempts(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{}, nil)
	j, done := newBook(), 0
	step := func(context.Context) (json.RawMessage, error) {
		done++
		return json.RawMessage(`{"n":1}`), nil
	}
	for attempt := range 3 {
		calls := c.Turn(token(t), j, nil)
		result, err := calls.Once(t.Context(), "order", step)
		if err != nil || string(result) != `{"n":1}` {
			t.Errorf("attempt %d: %s, %v", attempt, result, err)
		}
		if _, err := calls.Call(t.Context(), "sendMessage", text(5, "order")); err != nil {
			t.Error(err)
		}
		j = j.loaded()
	}
	if done != 1 || len(a.requests()) != 1 {
		t.Errorf("step done %d times, call made %d times", done, len(a.requests()))
	}
	if _, err := c.Turn(token(t), j, nil).Once(t.Context(), "another", step); err != nil || done != 2 {
		t.Errorf("another step: done %d times, %v", done, err)
	}
}

func TestAStepThatFailsIsDoneAgain(t *testing.T) {
	c := start(t, numbered).client(api.Config{}, nil)
	j, broken := newBook(), errors.New("broken")
	for _, want := range []error{broken, nil} {
		_, err := c.Turn(token(t), j, nil).Once(t.Context(), "order", func(context.Context) (json.RawMessage, error) {
			return json.RawMessage(`1`), want
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		j = j.loaded()
	}
	j.fail = errors.New("store is away")
	_, err := c.Turn(token(t), j, nil).Once(t.Context(), "other", func(context.Context) (json.RawMessage, error) {
		return json.RawMessage(`1`), nil
	})
	if !errors.Is(err, j.fail) {
		t.Errorf("a result that is not written counts: %v", err)
	}
	_, err = c.Turn(token(t), newBook(), nil).Once(t.Context(), "text", func(context.Context) (json.RawMessage, error) {
		return json.RawMessage(`no JSON`), nil
	})
	if err == nil {
		t.Error("what no later attempt could read is kept")
	}
}

func TestAStepEndsWithItsTurn(t *testing.T) {
	calls := start(t, numbered).client(api.Config{}, nil).Turn(token(t), newBook(), nil)
	_, err := calls.Once(t.Context(), "long", func(ctx context.Context) (json.RawMessage, error) {
		calls.Close(nil)
		return nil, context.Cause(ctx)
	})
	if !errors.Is(err, api.ErrClosed) {
		t.Errorf("running step: %v", err)
	}
	if _, err := calls.Once(t.Context(), "late", nil); !errors.Is(err, api.ErrClosed) {
		t.Errorf("late step: %v", err)
	}
}

func TestAFormIsSentLikeACall(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{}, nil)
	j := newBook()
	for range 2 {
		calls := c.Turn(token(t), j, nil)
		for _, f := range []api.Form{
			{Fields: map[string]string{"chat_id": "5", "text": "7"}},
			{Fields: map[string]string{"chat_id": "5"}, Files: map[string]ta.NamedReader{"photo": named{strings.NewReader("png"), "a.png"}}},
		} {
			if _, err := calls.Call(t.Context(), "sendPhoto", f); err != nil {
				t.Error(err)
			}
		}
	}
	got := a.requests()
	if len(got) != 2 {
		t.Fatalf("%d requests, want each once", len(got))
	}
	if got[0].params["text"] != "7" || got[0].params["chat_id"] != 5.0 {
		t.Errorf("form without files: %v", got[0].params)
	}
	if got[1].fields["chat_id"] != "5" || got[1].files["photo"] != "a.png=png" {
		t.Errorf("form with a file: %v %v", got[1].fields, got[1].files)
	}
}

type named struct {
	*strings.Reader
	name string
}

func (n named) Name() string { return n.name }

package api_test

import (
	"errors"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

var errReplaced = errors.New("lock lost")

// replaced is the journal of a turn that another worker makes by now.
type replaced struct{ *book }

func (replaced) Held() error { return errReplaced }

func TestAReplacedTurnSendsNothing(t *testing.T) {
	a := start(t, say(200, sent))
	c := a.client(api.Config{}, nil)
	_, err := c.Turn(token(t), replaced{newBook()}, nil).Call(t.Context(), "sendMessage", text(5, "x"))
	if !errors.Is(a.met(err), errReplaced) {
		t.Errorf("call: %v, want the reason", err)
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

package telegram_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mymmrac/telego"
	tu "github.com/mymmrac/telego/telegoutil"

	"github.com/chatlane/chatlane/internal/telegram"
)

func TestSmoke(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Log(r.URL.Path)
		_, _ = w.Write([]byte(`{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5,"type":"private"}}}`))
	}))
	defer srv.Close()
	c := telegram.NewClient(telegram.Config{BaseURL: srv.URL}, nil, nil)
	tok, err := telegram.ParseToken("42:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	j := mem{}
	for range 2 {
		calls := c.Turn(tok, j, nil)
		m, err := calls.Bot().SendMessage(t.Context(), tu.Message(tu.ID(5), "hi"))
		t.Log(m, err)
	}
	_, err = telegram.Peek(1, []byte(`{"update_id":1,"message":{"chat":{"id":1}}}`))
	t.Log(err)
	_ = telego.Update{}
}

type mem map[int][]byte

func (m mem) Recall(i int) ([]byte, bool)                     { e, ok := m[i]; return e, ok }
func (m mem) Record(_ context.Context, i int, e []byte) error { m[i] = e; return nil }

package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	tu "github.com/mymmrac/telego/telegoutil"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

// instant answers without a wire.
type instant struct{}

func (instant) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(sent))}, nil
}

// What the client costs a turn that makes one call, HTTP left out.
func BenchmarkTurnOfOneCall(b *testing.B) {
	c := api.NewClient(api.Config{Transport: instant{}}, nil, nil)
	for _, way := range []string{"call", "telego"} {
		b.Run(way, func(b *testing.B) {
			b.ReportAllocs()
			tok := token(b)
			for b.Loop() {
				calls := c.Turn(tok, newBook(), nil)
				var err error
				if way == "call" {
					_, err = calls.Call(b.Context(), "sendMessage", jsonRaw([]byte(`{"chat_id":5,"text":"hello"}`)))
				} else {
					_, err = calls.Bot().SendMessage(b.Context(), tu.Message(tu.ID(5), "hello"))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	c := api.NewClient(api.Config{Transport: instant{}}, nil, nil)
	j := newBook()
	b.ReportAllocs()
	tok := token(b)
	for b.Loop() {
		if _, err := c.Turn(tok, j, nil).Call(b.Context(), "sendMessage", jsonRaw([]byte(`{"chat_id":5,"text":"hello"}`))); err != nil {
			b.Fatal(err)
		}
	}
}

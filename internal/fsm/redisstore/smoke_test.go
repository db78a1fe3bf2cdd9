package redisstore_test

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
)

func TestSmoke(t *testing.T) {
	srv := redistest.Start(t)
	c, err := redisstore.Dial(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := redisstore.New(c, redisstore.Config{})
	for _, k := range []fsm.Keys{
		{Lane: "42:c:1", Home: "42:c:1", State: "42:c:1:u:1", StateHome: "42:c:1"},
		{Lane: "42:c:2", Home: "42:c:2", State: "42:u:1", StateHome: "42:u:1", Shared: true},
	} {
		for i := range 3 {
			at := fsm.Position{Stream: 5, Seq: uint64(i + 1), Update: int64(100 + i), Stored: time.Now()}
			se, err := s.Open(t.Context(), k, at)
			if err != nil {
				t.Fatal(err)
			}
			if err := se.Record(t.Context(), 0, []byte("x")); err != nil {
				t.Fatal(err)
			}
			se.SetState("step")
			se.SetData(append(se.Data(), 'a'))
			if err := se.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r, err := s.Peek(t.Context(), k)
		t.Logf("%+v %v", r, err)
	}
	srv.Restart()
	t.Log(redistest.Do(t.Context(), srv.Addr, "KEYS *"))
}

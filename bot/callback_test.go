package bot_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

type size uint8

type vote struct {
	Poll  int64
	Size  size
	Up    bool
	Topic string `max:"20"`
}

func TestCallbackDataIsReadBack(t *testing.T) {
	t.Parallel()
	codec := bot.NewCallbackData[vote]("v")
	for _, v := range []vote{
		{},
		{Poll: 17, Size: 2, Up: true, Topic: "lunch"},
		{Poll: math.MinInt64, Size: math.MaxUint8, Topic: "a:b~c:ü"},
		{Poll: math.MaxInt64, Topic: strings.Repeat(":", 10)},
	} {
		data, err := codec.Pack(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 64 {
			t.Errorf("%q takes %d bytes", data, len(data))
		}
		got, err := codec.Unpack(data)
		if diff := cmp.Diff(v, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", data, err, diff)
		}
	}
	if data, _ := codec.Pack(vote{Poll: 17, Size: 2, Up: true, Topic: "lunch"}); data != "v:h:2:1:lunch" {
		t.Errorf("packed as %q", data)
	}
}

func TestCallbackDataRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	codec := bot.NewCallbackData[vote]("v")
	if _, err := codec.Pack(vote{Topic: strings.Repeat("x", 21)}); !errors.Is(err, bot.ErrCallbackData) {
		t.Errorf("a long string: %v", err)
	}
	for _, data := range []string{
		"", "v", "w:h:2:1:x", "v:h:2:1", "v:h:2:1:x:y", "v:h:2:2:x", "v:!:2:1:x", "v:h:-1:1:x", "v:h:zz:1:x",
		"v:0h:2:1:x", "v:H:2:1:x", "v:h:2:1:~", "v:h:2:1:~x", "v:h:2:1:" + strings.Repeat("x", 21),
	} {
		if v, err := codec.Unpack(data); !errors.Is(err, bot.ErrCallbackData) {
			t.Errorf("%q was read as %+v, %v", data, v, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a button with a string that is too long was made")
		}
	}()
	codec.Button("x", vote{Topic: strings.Repeat("x", 21)})
}

func TestCallbackDataIsCheckedWhenRegistered(t *testing.T) {
	t.Parallel()
	mustPanic(t, "want a prefix", func() { bot.NewCallbackData[vote]("") })
	mustPanic(t, "want a prefix", func() { bot.NewCallbackData[vote]("a:b") })
	mustPanic(t, "want a prefix", func() { bot.NewCallbackData[int]("v") })
	mustPanic(t, `wants a tag such as max:"20"`, func() { bot.NewCallbackData[struct{ S string }]("v") })
	mustPanic(t, "is not exported", func() { bot.NewCallbackData[struct{ n int }]("v") })
	mustPanic(t, "want an integer, a bool or a string", func() { bot.NewCallbackData[struct{ F float64 }]("v") })
	mustPanic(t, "takes up to 76 bytes, want at most 64", func() { bot.NewCallbackData[struct{ A, B, C, D, E int64 }]("v") })
	bot.NewCallbackData[struct{}]("nothing")
}

func TestCallbackDataFilters(t *testing.T) {
	t.Parallel()
	codec := bot.NewCallbackData[vote]("v")
	other := bot.NewCallbackData[struct{ N int }]("vv")
	r := bot.New("r")
	r.Message(bot.Say("Vote", bot.Inline(bot.Row(
		codec.Button("up", vote{Poll: 1, Up: true}), codec.Button("down", vote{Poll: 2}),
		other.Button("other", struct{ N int }{5}), bot.Button("old", "v:1"),
	))))
	say := func(what string) bot.Handler {
		return func(ctx context.Context, t *bot.Turn) error {
			v, ok := bot.Get[vote](t)
			if !ok || v.Poll == 0 {
				return errors.New("handler has no vote")
			}
			return t.AnswerCallback(ctx, what)
		}
	}
	r.Callback(say("up"), codec.Filter(func(v vote) bool { return v.Up }))
	r.Callback(say("any"), codec.Filter())
	r.Callback(func(ctx context.Context, t *bot.Turn) error { return t.AnswerCallback(ctx, "not a vote") })
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("vote")
	for press, want := range map[string]string{"up": "up", "down": "any", "other": "not a vote", "old": "not a vote"} {
		ann.Press(press)
		ann.ExpectNotice(want)
	}
	if passes(t, codec.Filter(), message("v:h:2:1:lunch")) {
		t.Error("a text passes as a button")
	}
}

func FuzzCallbackData(f *testing.F) {
	codec := bot.NewCallbackData[vote]("v")
	f.Add("v:h:2:1:lunch")
	f.Add("v:-1y2p0ij32e8e8:73:0:a~.b~~")
	f.Fuzz(func(t *testing.T, data string) {
		v, err := codec.Unpack(data)
		if err != nil {
			return
		}
		if again, err := codec.Pack(v); err != nil || again != data {
			t.Errorf("%q is read as %+v, which is packed as %q, %v", data, v, again, err)
		}
	})
}

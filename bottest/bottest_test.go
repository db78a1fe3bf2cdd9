package bottest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mymmrac/telego"
	ta "github.com/mymmrac/telego/telegoapi"
	tu "github.com/mymmrac/telego/telegoutil"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// witness is a T that notes what is reported to it.
type witness struct {
	testing.TB
	reports []string
}

func (w *witness) Errorf(format string, args ...any) {
	w.reports = append(w.reports, fmt.Sprintf(format, args...))
}
func (w *witness) Logf(string, ...any) {}

type tally struct{ N int }

// counter says how often it was spoken to.
func counter() *bot.Router {
	r := bot.New("counter")
	r.On(bot.AnyMessage, func(ctx context.Context, t *bot.Turn) error {
		if t.Text() == "fail" {
			return errors.New("told to")
		}
		c, err := bot.UpdateData(t, func(c *tally) { c.N++ })
		if err != nil {
			return err
		}
		return t.Answer(ctx, fmt.Sprint(c.N))
	})
	return r
}

func TestExpectationsReportWhatDiffers(t *testing.T) {
	t.Parallel()
	seen := &witness{TB: t}
	w := bottest.New(seen, counter())
	ann := w.Person("Ann")
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { ann.Expect("x", "y") }, `the bot is silent, want "x"`},
		{func() { ann.ExpectMatch("^x$") }, `the bot is silent, want ^x$`},
		{func() { ann.Say("a"); ann.Expect("x") }, `the bot says "1", want "x"`},
		{func() { ann.Say("b"); ann.ExpectMatch("^x$") }, `the bot says "2", want ^x$`},
		{func() { ann.Say("c"); ann.ExpectSilence() }, `the bot says "3", want silence`},
		{func() { ann.ExpectNotice("x") }, `no button was answered, want "x"`},
		{func() { ann.ExpectState("a:b") }, `conversation stands at "", want "a:b"`},
		{func() { ann.ExpectButtons("x") }, `buttons [], want ["x"]`},
		{func() { ann.Press("x") }, `there is no button "x"`},
		{func() { ann.Say("fail") }, `turn failed: told to`},
		{func() { _ = w.Fails(func() {}) }, `no turn failed`},
		{func() { w.Person("Bob").Edit("x") }, `Bob has written nothing to edit`},
		{func() { _ = bottest.Data[string](ann) }, `read data as string: json: cannot unmarshal`},
	} {
		seen.reports = nil
		c.do()
		if len(seen.reports) != 1 || !strings.HasPrefix(seen.reports[0], c.want) {
			t.Errorf("reported %q, want %q", seen.reports, c.want)
		}
	}
}

func TestFailedTurnsKeepNothing(t *testing.T) {
	t.Parallel()
	w := bottest.New(t, counter())
	ann := w.Person("Ann")
	ann.Say("a")
	if err := w.Fails(func() { ann.Say("fail") }); err == nil || err.Error() != "told to" {
		t.Errorf("failed with %v", err)
	}
	ann.Say("b")
	ann.Expect("1", "2")
	if got := bottest.Data[tally](ann); got.N != 2 {
		t.Errorf("data is %+v", got)
	}
}

func TestStrategiesShareConversations(t *testing.T) {
	t.Parallel()
	for strategy, want := range map[bottest.Strategy]string{
		bottest.UserInChat:  "1 1 2 3 1",
		bottest.Chat:        "1 1 2 3 4",
		bottest.GlobalUser:  "1 2 3 4 1",
		bottest.UserInTopic: "1 1 1 2 1",
		bottest.ChatTopic:   "1 1 1 2 2",
	} {
		w := bottest.NewWith(t, counter(), bottest.Config{Strategy: strategy, Bot: bot.Info{ID: 7, Username: "b"}})
		g := w.Group("Team")
		ann, bob := w.Person("Ann"), w.Person("Bob")
		ann.Say("in private")
		var got []string
		got = append(got, ann.Unread()...)
		ann.In(g).Say("in the group")
		ann.In(g).Topic(5).Say("in a topic")
		ann.In(g).Say("in the group")
		bob.In(g).Topic(5).Say("in a topic")
		got = append(got, ann.In(g).Unread()...)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: counted %s, want %s", strategy, s, want)
		}
	}
}

func TestPeopleActAndTheBotHears(t *testing.T) {
	t.Parallel()
	var heard []string
	note := func(what string) bot.Handler {
		return func(_ context.Context, t *bot.Turn) error { heard = append(heard, what); return nil }
	}
	r := bot.New("r")
	r.On(bot.ChatMember, note("joined"), bot.Joined())
	r.On(bot.ChatMember, note("left"), bot.Left())
	r.On(bot.ChatMember, note("promoted"), bot.Promoted())
	r.On(bot.MyChatMember, note("blocked"), bot.Blocked())
	r.Message(note("service"), bot.Has(bot.ContentJoined, bot.ContentLeft))
	r.Message(note("reply"), bot.ReplyToBot())
	r.On(bot.EditedMessage, note("edited"))
	r.Message(bot.Say("hello"))
	w := bottest.New(t, r)
	g := w.Group("Team")
	ann := w.Person("Ann")
	ann.Join(g)
	ann.Promote(g)
	ann.Leave(g)
	ann.Say("hi")
	ann.Reply("to you")
	ann.Edit("hi!")
	ann.Block()
	want := "service joined promoted service left reply edited blocked"
	if got := strings.Join(heard, " "); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if ann.ID() == g.ID() || w.API() == nil {
		t.Error("ids are not of their own")
	}
}

func TestBotAPIIsSimulated(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	api, ctx := w.API(), t.Context()
	to := telego.ChatID{ID: ann.ID()}

	me, err := api.GetMe(ctx)
	if err != nil || me.Username != "test_bot" {
		t.Errorf("getMe: %+v, %v", me, err)
	}
	buttons := telego.InlineKeyboardMarkup{InlineKeyboard: [][]telego.InlineKeyboardButton{{{Text: "x", CallbackData: "x"}}}}
	m, err := api.SendPhoto(ctx, &telego.SendPhotoParams{ChatID: to, Caption: "look", Photo: telego.InputFile{File: file{}}})
	if err != nil || m.Caption != "look" {
		t.Fatalf("sendPhoto: %+v, %v", m, err)
	}
	if _, err := api.EditMessageCaption(ctx, &telego.EditMessageCaptionParams{ChatID: to, MessageID: m.MessageID, Caption: "again"}); err != nil {
		t.Error(err)
	}
	if _, err := api.EditMessageReplyMarkup(ctx, &telego.EditMessageReplyMarkupParams{ChatID: to, MessageID: m.MessageID, ReplyMarkup: &buttons}); err != nil {
		t.Error(err)
	}
	if _, err := api.CopyMessage(ctx, &telego.CopyMessageParams{ChatID: to, FromChatID: to, MessageID: m.MessageID, Caption: "copy"}); err != nil {
		t.Error(err)
	}
	if err := api.DeleteMessage(ctx, &telego.DeleteMessageParams{ChatID: to, MessageID: m.MessageID}); err != nil {
		t.Error(err)
	}
	ann.Expect("look", "again", "again", "copy")

	long := telego.InlineKeyboardMarkup{InlineKeyboard: [][]telego.InlineKeyboardButton{{{Text: "x", CallbackData: strings.Repeat("x", 65)}}}}
	for name, err := range map[string]error{
		"no chat":         second(api.SendMessage(ctx, &telego.SendMessageParams{ChatID: telego.ChatID{ID: 5}, Text: "x"})),
		"no text":         second(api.SendMessage(ctx, &telego.SendMessageParams{ChatID: to})),
		"long data":       second(api.SendMessage(ctx, &telego.SendMessageParams{ChatID: to, Text: "x", ReplyMarkup: &long})),
		"deleted twice":   api.DeleteMessage(ctx, &telego.DeleteMessageParams{ChatID: to, MessageID: m.MessageID}),
		"edit of nothing": second(api.EditMessageText(ctx, &telego.EditMessageTextParams{ChatID: to, MessageID: 1, Text: "x"})),
	} {
		var refused *ta.Error
		if !errors.As(err, &refused) || refused.ErrorCode != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

// file is an upload.
type file struct{}

func (file) Read([]byte) (int, error) { return 0, io.EOF }
func (file) Name() string             { return "look.png" }

func TestCallsAreStubbed(t *testing.T) {
	t.Parallel()
	w := bottest.New(t, counter())
	ann := w.Person("Ann")
	w.Stub("sendMessage", func(json.RawMessage) (any, error) {
		return nil, bottest.Refuse(403, "Forbidden: bot was blocked by the user")
	})
	err := w.Fails(func() { ann.Say("hi") })
	var refused *ta.Error
	if !errors.As(err, &refused) || refused.ErrorCode != 403 {
		t.Errorf("got %v", err)
	}
	w.Stub("sendMessage", nil)
	ann.Say("hi")
	ann.Expect("1")
	if n := len(w.Calls()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestClockMovesOnlyByAdvance(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	var fired []time.Time
	var w *bottest.World
	r := bot.New("r")
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		fired = append(fired, w.Now())
		return t.Clear(ctx)
	}, time.Hour, "a:b")
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, "a:b") })
	w = bottest.NewWith(t, r, bottest.Config{Start: start})
	w.Person("Ann").Say("hi")
	w.Advance(30 * time.Minute)
	w.Person("Bob").Say("hi")
	w.Advance(3 * time.Hour)
	if len(fired) != 2 || fired[0] != start.Add(time.Hour) || fired[1] != start.Add(90*time.Minute) {
		t.Errorf("fired at %v", fired)
	}
	if now := w.Now(); now != start.Add(210*time.Minute) {
		t.Errorf("the clock shows %v", now)
	}
}

func TestChatsRunInParallelAndInOrder(t *testing.T) {
	t.Parallel()
	w := bottest.New(t, counter())
	var people sync.WaitGroup
	for i := range 20 {
		p := w.Person(fmt.Sprint("P", i))
		people.Go(func() {
			for range 50 {
				p.Say("hi")
			}
			for n := range 50 {
				p.Expect(fmt.Sprint(n + 1))
			}
		})
	}
	people.Wait()
	g := w.Group("Team")
	ann := w.Person("Ann").In(g)
	for range 4 { // several at once, of one conversation
		people.Go(func() {
			for range 25 {
				ann.Say("hi")
			}
		})
	}
	people.Wait()
	if got := bottest.Data[tally](ann); got.N != 100 {
		t.Errorf("counted %d, want 100", got.N)
	}
}

// BenchmarkTurn is a whole turn: a text, a handler, a reply, a commit.
func BenchmarkTurn(b *testing.B) {
	w := bottest.New(b, counter())
	ann := w.Person("Ann")
	for b.Loop() {
		ann.Say("hi")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "turns/s")
}

func TestFilesOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	photo := func(name string) telego.InputMedia {
		return tu.MediaPhoto(tu.File(tu.NameReader(strings.NewReader("pixels"), name)))
	}
	r := bot.New("r")
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SendAlbum(ctx, photo("a"), photo(t.Text())) })
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("b")
	if err := w.Fails(func() { ann.Say("a") }); !strings.Contains(fmt.Sprint(err), "name of its own") {
		t.Errorf("two files of one name: %v", err)
	}
}

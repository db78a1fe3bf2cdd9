package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mymmrac/telego"
	tu "github.com/mymmrac/telego/telegoutil"

	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/rules"
)

func file(tb testing.TB, name, content string) *os.File {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return f
}

func TestUploadsAreJournaledByTheirContent(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{}, nil)
	j := newBook()
	send := func(name, content, caption string) int {
		params := tu.Photo(tu.ID(5), tu.File(tu.NameReader(strings.NewReader(content), name))).
			WithCaption(caption).WithReplyMarkup(tu.InlineKeyboard(tu.InlineKeyboardRow(tu.InlineKeyboardButton("x").WithCallbackData("y"))))
		m, err := c.Turn(token(t), j, nil).Bot().SendPhoto(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		return m.MessageID
	}
	for _, tt := range []struct {
		name, content, caption string
		want                   int
	}{
		{"a.png", "pixels", `{"not": "json"}`, 1},
		{"a.png", "pixels", `{"not": "json"}`, 1},
		{"a.png", "other pixels", `{"not": "json"}`, 2},
		{"b.png", "pixels", `{"not": "json"}`, 3},
		{"a.png", "pixels", "12", 4},
	} {
		if got := send(tt.name, tt.content, tt.caption); got != tt.want {
			t.Errorf("%s with %q: message %d, want %d", tt.name, tt.content, got, tt.want)
		}
	}
	s := a.requests()[0]
	if s.fields["chat_id"] != "5" || s.fields["caption"] != `{"not": "json"}` || !strings.HasPrefix(s.fields["reply_markup"], `{"inline_keyboard":[[{`) ||
		s.files["photo"] != "a.png=pixels" || len(s.files) != 1 || s.fields["photo"] != "" {
		t.Errorf("form %v with %v", s.fields, s.files)
	}
}

func TestUploadsAreSentWholeAgain(t *testing.T) {
	for _, name := range []string{"file", "reader"} {
		t.Run(name, func(t *testing.T) {
			a := start(t, func(w http.ResponseWriter, n int, s seen) {
				if n == 1 {
					say(502, "<html>")(w, n, s)
					return
				}
				numbered(w, n, s)
			})
			const content = "0123456789"
			in := tu.File(file(t, "doc.txt", "skipped"+content))
			if _, err := in.File.(*os.File).Seek(int64(len("skipped")), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if name == "reader" {
				in = tu.File(tu.NameReader(iotest.OneByteReader(strings.NewReader(content)), "doc.txt"))
			}
			_, err := a.client(api.Config{}, nil).Turn(token(t), newBook(), nil).Bot().SendDocument(t.Context(), tu.Document(tu.ID(5), in))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range a.requests() {
				if !strings.HasSuffix(s.files["document"], "doc.txt="+content) {
					t.Errorf("files %v", s.files)
				}
			}
			if len(a.requests()) != 2 {
				t.Errorf("%d requests, want 2", len(a.requests()))
			}
		})
	}
}

func TestMediaGroupsAttachTheirFiles(t *testing.T) {
	a := start(t, say(200, `{"ok":true,"result":[]}`))
	_, err := a.client(api.Config{}, nil).Turn(token(t), newBook(), nil).Bot().SendMediaGroup(t.Context(), tu.MediaGroup(tu.ID(5),
		tu.MediaPhoto(tu.File(tu.NameReader(strings.NewReader("1"), "one.png"))).WithCaption("c"),
		tu.MediaPhoto(tu.File(tu.NameReader(strings.NewReader("2"), "two.png"))),
		tu.MediaPhoto(tu.FileFromID("AgAC"))))
	if err != nil {
		t.Fatal(err)
	}
	s := a.requests()[0]
	var media []map[string]any
	if err := json.Unmarshal([]byte(s.fields["media"]), &media); err != nil || len(media) != 3 || media[0]["media"] != "attach://one.png" {
		t.Errorf("media %v, %v", s.fields, err)
	}
	if s.files["one.png"] != "one.png=1" || s.files["two.png"] != "two.png=2" {
		t.Errorf("files %v", s.files)
	}
}

func TestFilesThatCannotBeHeldAreRefused(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{MaxUpload: 10}, nil)
	bot := c.Turn(token(t), newBook(), nil).Bot()
	big := tu.File(tu.NameReader(strings.NewReader("01234567890"), "x"))
	if _, err := bot.SendDocument(t.Context(), tu.Document(tu.ID(5), big)); err == nil || len(a.requests()) != 0 {
		t.Errorf("error %v", err)
	}
	if _, err := bot.SendDocument(t.Context(), tu.Document(tu.ID(5), tu.File(file(t, "x", "01234567890")))); err != nil {
		t.Errorf("a file that can be read twice: %v", err)
	}
	broken := tu.File(tu.NameReader(iotest.ErrReader(io.ErrClosedPipe), "x"))
	if _, err := bot.SendDocument(t.Context(), tu.Document(tu.ID(5), broken)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

func TestMiddlewareSeesUploadsAsParameters(t *testing.T) {
	a := start(t, numbered)
	var got map[string]any
	around := func(next api.CallFunc) api.CallFunc {
		return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			if err := json.Unmarshal(params, &got); err != nil {
				t.Error(err)
			}
			return next(ctx, method, bytes.Replace(params, []byte("12"), []byte("new <caption>"), 1))
		}
	}
	l := &watch{}
	bot := a.client(api.Config{}, l).Turn(token(t), newBook(), []api.Around{around}).Bot()
	_, err := bot.SendPhoto(t.Context(), tu.Photo(tu.ID(-5), tu.File(tu.NameReader(strings.NewReader("1"), "a \"b\".png"))).WithCaption("12"))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"chat_id": -5.0, "caption": "12", "photo": `a "b".png`}; !reflect.DeepEqual(got, want) {
		t.Errorf("seen %v, want %v", got, want)
	}
	if s := a.requests()[0]; s.fields["caption"] != "new <caption>" || s.fields["chat_id"] != "-5" || len(l.waits) != 1 || l.waits[0].chat != -5 {
		t.Errorf("sent %v after %v", s.fields, l.waits)
	}
}

// The closed set of labels is the library's methods.
func TestEveryMethodOfTheLibraryHasItsLabel(t *testing.T) {
	known := map[string]bool{}
	for _, m := range api.Methods() {
		known[m] = true
	}
	ctx := reflect.TypeFor[context.Context]()
	bot := reflect.TypeFor[*telego.Bot]()
	n := 0
	for m := range bot.Methods() {
		name := strings.ToLower(m.Name[:1]) + m.Name[1:]
		if m.Type.NumIn() < 2 || m.Type.NumIn() > 3 || m.Type.In(1) != ctx || m.Type.IsVariadic() || strings.HasPrefix(name, "updates") {
			continue
		}
		if m.Type.NumIn() == 3 && (m.Type.In(2).Kind() != reflect.Pointer || m.Type.In(2).Elem().Name() != m.Name+"Params") {
			continue
		}
		if n++; !known[name] {
			t.Errorf("%s has no label", name)
		}
	}
	if n < 180 {
		t.Errorf("only %d methods looked at", n)
	}
}

func TestFilesAreFetchedWithoutShowingTheToken(t *testing.T) {
	var path string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /file/", func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		if strings.HasSuffix(path, "gone") {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "content")
	})
	a := start(t, nil)
	a.Config.Handler = mux
	c := a.client(api.Config{}, nil)
	calls := c.Turn(token(t), newBook(), nil)
	body, err := calls.File(t.Context(), "photos/file 1.jpg")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(body)
	_ = body.Close()
	if string(text) != "content" || path != "/file/bot"+tokenText+"/photos/file 1.jpg" {
		t.Errorf("%s from %s", text, path)
	}
	for _, bad := range []string{"", "/", "a//b", "../x", "a/../b", "gone"} {
		if _, err := calls.File(t.Context(), bad); a.met(err) == nil {
			t.Errorf("%q was fetched", bad)
		}
	}
	calls.Close(nil)
	if _, err := calls.File(t.Context(), "a"); !errors.Is(err, api.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// Telego keeps the files of a call by their names, so that of two with one name the second
// would be sent twice.
func TestUploadsWhosePartsCollideAreRefused(t *testing.T) {
	a := start(t, say(200, `{"ok":true,"result":[]}`))
	b := a.client(api.Config{}, nil).Turn(token(t), nil, nil).Bot()
	memory := func(name, content string) telego.InputFile {
		return tu.File(tu.NameReader(strings.NewReader(content), name))
	}
	for name, media := range map[string][]telego.InputMedia{
		"two photos":          {tu.MediaPhoto(memory("a.png", "one")), tu.MediaPhoto(memory("a.png", "two"))},
		"video and thumbnail": {&telego.InputMediaVideo{Type: "video", Media: memory("a", "one"), Thumbnail: new(memory("a", "two"))}, tu.MediaPhoto(tu.FileFromID("F"))},
		"name of a parameter": {tu.MediaPhoto(memory("media", "one")), tu.MediaPhoto(memory("b", "two"))},
	} {
		if _, err := b.SendMediaGroup(t.Context(), &telego.SendMediaGroupParams{ChatID: tu.ID(5), Media: media}); !errors.Is(err, rules.ErrParts) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stickers := []telego.InputSticker{{Sticker: memory("s", "one"), Format: "static"}, {Sticker: memory("s", "two"), Format: "static"}}
	if err := b.CreateNewStickerSet(t.Context(), &telego.CreateNewStickerSetParams{UserID: 5, Name: "n", Title: "t", Stickers: stickers}); !errors.Is(err, rules.ErrParts) {
		t.Errorf("stickers: %v", err)
	}
	if n := len(a.requests()); n > 0 {
		t.Fatalf("%d calls were sent", n)
	}
	caption := "see attach://a.png, attach://a.png"
	_, err := b.SendMediaGroup(t.Context(), &telego.SendMediaGroupParams{ChatID: tu.ID(5), Media: []telego.InputMedia{
		tu.MediaPhoto(memory("a.png", "one")).WithCaption(caption), tu.MediaPhoto(memory("b.png", "two")).WithCaption("attach://a.png"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s := a.requests()[0]; s.files["a.png"] != "a.png=one" || s.files["b.png"] != "b.png=two" {
		t.Errorf("sent %v", s.files)
	}
}

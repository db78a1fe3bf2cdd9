package bot_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
)

// passes asks one filter about a turn.
func passes(t *testing.T, f bot.Filter, turn *bot.Turn) bool {
	t.Helper()
	taken := false
	r := bot.New("r")
	r.On(bot.AnyUpdate, func(context.Context, *bot.Turn) error { taken = true; return nil }, f)
	_ = compiled(t, r).Answer(t.Context(), turn)
	return taken
}

// turnOf is a turn of any update, without state.
func turnOf(typ string, u telego.Update) *bot.Turn {
	return bot.NewTurn(bot.Parts{Bot: bot.Info{ID: 42, Username: "test_bot"}, Type: typ, Chat: 5, User: 6, Update: &u})
}

func messageOf(m telego.Message) *bot.Turn { return turnOf("message", telego.Update{Message: &m}) }

func TestFiltersCompose(t *testing.T) {
	t.Parallel()
	yes, no := bot.Text("hi"), bot.Text("bye")
	for name, c := range map[string]struct {
		filter bot.Filter
		want   bool
	}{
		"and": {bot.And(yes, yes), true}, "and not": {bot.And(yes, no), false}, "and of none": {bot.And(), true},
		"or": {bot.Or(no, yes), true}, "neither": {bot.Or(no, no), false}, "or of none": {bot.Or(), false},
		"not": {bot.Not(no), true}, "not yes": {bot.Not(yes), false},
		"nested": {bot.And(bot.Or(no, yes), bot.Not(bot.And(yes, no))), true},
	} {
		if got := passes(t, c.filter, message("hi")); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestFiltersHandValuesToTheHandler(t *testing.T) {
	t.Parallel()
	type age int
	put := func(v age, passes bool) bot.Filter {
		return bot.Func(func(_ context.Context, t *bot.Turn) (bool, error) { bot.Put(t, v); return passes, nil })
	}
	var got []age
	look := func(_ context.Context, t *bot.Turn) error {
		v, _ := bot.Get[age](t)
		got = append(got, v)
		bot.Put(t, age(99))
		return bot.ErrSkip
	}
	r, child := bot.New("r"), bot.New("child")
	r.Include(child)
	r.Guard(put(1, true))
	r.Message(look)                                          // sees the guard's
	r.Message(look, put(2, true))                            // hides it
	r.Message(look, put(3, true), put(4, false))             // not taken
	r.Message(look)                                          // what others put is gone
	r.Message(look, bot.Or(put(5, false), put(6, true)))     // of the one that passed
	r.Message(look, bot.Not(put(7, false)))                  // a negation puts nothing
	r.Message(look, bot.With(age(8)), bot.And(put(9, true))) // the last one counts
	child.Message(look)                                      // a guard's reaches the children
	_ = compiled(t, r).Answer(t.Context(), message("hi"))
	if diff := cmp.Diff([]age{1, 2, 1, 6, 1, 9, 1}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestTextIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		turn   *bot.Turn
		filter bot.Filter
		want   bool
	}{
		{message("yes"), bot.Text("yes", "no"), true},
		{message("Yes"), bot.Text("yes", "no"), false},
		{message("anything"), bot.Text(), true},
		{messageOf(telego.Message{Caption: "yes"}), bot.Text(), false},
		{message("anything"), bot.Plain(), true},
		{message("/anything"), bot.Plain(), false},
		{pressed("yes"), bot.Text(), false},
	} {
		if got := passes(t, c.filter, c.turn); got != c.want {
			t.Errorf("text %q: got %v, want %v", c.turn.Text(), got, c.want)
		}
	}
}

func TestRegexpGivesItsGroups(t *testing.T) {
	t.Parallel()
	var got []string
	r := bot.New("r")
	r.Message(func(_ context.Context, t *bot.Turn) error {
		got = t.Match()
		return nil
	}, bot.Regexp(`^(\d+) (\w+)$`))
	if err := compiled(t, r).Answer(t.Context(), messageOf(telego.Message{Caption: "2 pizzas"})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2 pizzas", "2", "pizzas"}, got); diff != "" {
		t.Errorf("match (-want +got):\n%s", diff)
	}
	if passes(t, bot.Regexp(`.`), messageOf(telego.Message{})) || passes(t, bot.Regexp(`a`), message("b")) {
		t.Error("want no match")
	}
}

func TestCommandReadsPrefixMentionCaseAndArguments(t *testing.T) {
	t.Parallel()
	start := bot.Command("start", "begin")
	for _, c := range []struct {
		text   string
		filter bot.Filter
		want   bool
	}{
		{"/start", start, true},
		{"/begin now", start, true},
		{"/start@test_bot", start, true},
		{"/start@TEST_BOT x", start, true},
		{"/start@other_bot", start, false},
		{"/start@other_bot", bot.Commands{OtherBots: true}.Filter(), true},
		{"/Start", start, false},
		{"/Start", bot.Commands{Names: []string{"start"}, IgnoreCase: true}.Filter(), true},
		{"!start", start, false},
		{"!start", bot.Commands{Names: []string{"start"}, Prefixes: "!/"}.Filter(), true},
		{"/starting", start, false},
		{"start", start, false},
		{"/", bot.Command(), false},
		{" /start", start, false},
		{"/anything", bot.Command(), true},
		{"/start\nsecond line", start, true},
		{"", bot.Command(), false},
	} {
		if got := passes(t, c.filter, messageOf(telego.Message{Text: c.text})); got != c.want {
			t.Errorf("%q: got %v, want %v", c.text, got, c.want)
		}
	}
	if passes(t, bot.Command(), pressed("/start")) {
		t.Error("a button is no command")
	}
	for _, name := range []string{"", "/start", "a b", "a@b", "a-b", "a\u00a0"} {
		mustPanic(t, "want a word without slash", func() { bot.Command(name) })
	}
}

// Every text is a command or plain text, whatever follows the name: the classes are those
// that Telegram tells apart.
func TestCommandEndsWhereTelegramsEntityEnds(t *testing.T) {
	t.Parallel()
	for what, follows := range map[string]string{
		"nothing": "", "space": " ", "line break": "\n", "carriage return": "\r\n", "tab": "\t", "vertical tab": "\v",
		"no-break space": "\u00a0", "narrow no-break space": "\u202f", "thin space": "\u2009", "ideographic space": "\u3000",
		"line separator": "\u2028", "zero width space": "\u200b", "joiner": "\u200d", "right-to-left mark": "\u200f",
		"byte order mark": "\ufeff", "soft hyphen": "\u00ad", "full stop": ".", "comma": ",", "exclamation": "!", "question": "?",
		"hyphen": "-", "dash": "\u2014", "bracket": "(", "quote": "\u201c", "currency": "€", "sign": "+", "equals": "=",
		"emoji": "🍕", "variation selector": "\ufe0f", "combining mark": "\u0301", "modifier": "^", "private use": "\ue000",
	} {
		for _, rest := range []string{"", "x 1"} {
			if follows == "" && rest != "" {
				continue
			}
			for _, call := range []string{"/help", "/help@test_bot"} {
				turn := messageOf(telego.Message{Text: call + follows + rest})
				if !passes(t, bot.Command("help"), turn) || passes(t, bot.Plain(), turn) {
					t.Errorf("%s before %s is not the command: %+v", call, what, turn.Command())
				}
			}
		}
	}
	for what, follows := range map[string]string{
		"slash": "/", "less": "<", "greater": ">", "letter of another script": "é", "ideograph": "字",
		"number of another script": "\u0663", "fraction": "½", "empty mention": "@", "short mention": "@ab", "mention and letter": "@test_boté",
		"path": "/x", "long name": strings.Repeat("p", 61),
	} {
		turn := messageOf(telego.Message{Text: "/help" + follows})
		if passes(t, bot.Command("help"), turn) || passes(t, bot.Command(), turn) || !passes(t, bot.Plain(), turn) {
			t.Errorf("/help before a %s is no plain text: %+v", what, turn.Command())
		}
	}
	if !passes(t, bot.Command("помощь"), messageOf(telego.Message{Text: "/помощь\u00a0x"})) {
		t.Error("a command of the author's own in another script does not pass")
	}
	if got := messageOf(telego.Message{Text: "/add\u00a02\u00a0pizzas"}).Command().Args; got != "2\u00a0pizzas" {
		t.Errorf("arguments are %q", got)
	}
}

func TestCommandIsReadOnce(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bot.CommandLine{
		"/add@test_bot  2  pizzas ": {Prefix: "/", Name: "add", Mention: "test_bot", Args: "2  pizzas"},
		"/add\n2 pizzas":            {Prefix: "/", Name: "add", Args: "2 pizzas"},
		"hello":                     {},
		"@bob hi":                   {Prefix: "@", Name: "bob", Args: "hi"},
	} {
		turn := message(text)
		if diff := cmp.Diff(want, turn.Command()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	fields := message("/add 2  pizzas").Command().Fields()
	if diff := cmp.Diff([]string{"2", "pizzas"}, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestFiltersOfChatsAndUsers(t *testing.T) {
	t.Parallel()
	in := func(typ string) *bot.Turn {
		return messageOf(telego.Message{Chat: telego.Chat{ID: 5, Type: typ}, Text: "x"})
	}
	quote := func(user int64) *bot.Turn {
		return messageOf(telego.Message{ReplyToMessage: &telego.Message{From: &telego.User{ID: user}}})
	}
	for name, c := range map[string]struct {
		filter bot.Filter
		turn   *bot.Turn
		want   bool
	}{
		"private":            {bot.InPrivate(), in("private"), true},
		"not private":        {bot.InPrivate(), in("group"), false},
		"group":              {bot.InGroup(), in("supergroup"), true},
		"channel":            {bot.ChatType("channel"), in("channel"), true},
		"no chat":            {bot.InPrivate(), turnOf("poll", telego.Update{}), false},
		"user":               {bot.FromUser(6, 7), in("private"), true},
		"other user":         {bot.FromUser(7), in("private"), false},
		"chat":               {bot.InChat(5), in("private"), true},
		"other chat":         {bot.InChat(6), in("private"), false},
		"reply":              {bot.ReplyTo(), quote(1), true},
		"reply to user":      {bot.ReplyTo(1, 2), quote(2), true},
		"reply to another":   {bot.ReplyTo(1), quote(2), false},
		"no reply":           {bot.ReplyTo(), in("private"), false},
		"reply to bot":       {bot.ReplyToBot(), quote(42), true},
		"reply not to bot":   {bot.ReplyToBot(), quote(1), false},
		"no reply to bot":    {bot.ReplyToBot(), in("private"), false},
		"album":              {bot.MediaGroup(), messageOf(telego.Message{MediaGroupID: "a"}), true},
		"no album":           {bot.MediaGroup(), in("private"), false},
		"button":             {bot.Pressed(), pressed("yes"), true},
		"this button":        {bot.Pressed("yes"), pressed("yes"), true},
		"another button":     {bot.Pressed("no"), pressed("yes"), false},
		"message, no button": {bot.Pressed(), in("private"), false},
		"button in private":  {bot.InPrivate(), pressed("yes"), true},
	} {
		if got := passes(t, c.filter, c.turn); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	mustPanic(t, `chat type "privat"`, func() { bot.ChatType("privat") })
}

// pressed is a turn of a button in a private chat.
func pressed(data string) *bot.Turn {
	return turnOf("callback_query", telego.Update{CallbackQuery: &telego.CallbackQuery{
		ID: "q", Data: data, Message: &telego.Message{Text: "/under", Chat: telego.Chat{ID: 5, Type: "private"}},
	}})
}

func TestHasKnowsContents(t *testing.T) {
	t.Parallel()
	for content, m := range map[bot.Content]telego.Message{
		bot.ContentText: {Text: "x"}, bot.ContentPhoto: {Photo: []telego.PhotoSize{{}}},
		bot.ContentVideo: {Video: &telego.Video{}}, bot.ContentAnimation: {Animation: &telego.Animation{}},
		bot.ContentAudio: {Audio: &telego.Audio{}}, bot.ContentVoice: {Voice: &telego.Voice{}},
		bot.ContentVideoNote: {VideoNote: &telego.VideoNote{}}, bot.ContentDocument: {Document: &telego.Document{}},
		bot.ContentSticker: {Sticker: &telego.Sticker{}}, bot.ContentStory: {Story: &telego.Story{}},
		bot.ContentContact: {Contact: &telego.Contact{}}, bot.ContentLocation: {Location: &telego.Location{}},
		bot.ContentVenue: {Venue: &telego.Venue{}}, bot.ContentPoll: {Poll: &telego.Poll{}},
		bot.ContentDice: {Dice: &telego.Dice{}}, bot.ContentGame: {Game: &telego.Game{}},
		bot.ContentInvoice: {Invoice: &telego.Invoice{}}, bot.ContentPayment: {SuccessfulPayment: &telego.SuccessfulPayment{}},
		bot.ContentRefund: {RefundedPayment: &telego.RefundedPayment{}}, bot.ContentWebApp: {WebAppData: &telego.WebAppData{}},
		bot.ContentPaidMedia: {PaidMedia: &telego.PaidMediaInfo{}}, bot.ContentChecklist: {Checklist: &telego.Checklist{}},
		bot.ContentJoined: {NewChatMembers: []telego.User{{}}}, bot.ContentLeft: {LeftChatMember: &telego.User{}},
		bot.ContentPinned: {PinnedMessage: &telego.Message{}}, bot.ContentTitle: {NewChatTitle: "x"},
		bot.ContentMigrated: {MigrateToChatID: 1}, bot.ContentUserShared: {UsersShared: &telego.UsersShared{}},
		bot.ContentChatShared: {ChatShared: &telego.ChatShared{}},
	} {
		if !passes(t, bot.Has(bot.ContentStory, content), messageOf(m)) {
			t.Errorf("a message with %s does not pass", content)
		}
		if content != bot.ContentText && passes(t, bot.Has(content), message("text")) {
			t.Errorf("a text passes as %s", content)
		}
	}
	if passes(t, bot.Has(bot.ContentText), pressed("x")) {
		t.Error("a button passes as a text")
	}
	mustPanic(t, `content "phot"`, func() { bot.Has("phot") })
	mustPanic(t, `content ""`, func() { bot.Has("") })
	mustPanic(t, `content "caption"`, func() { bot.Has("caption") })
}

// Every field of a message is a content with a constant or a circumstance, so that the list
// does not fall behind the types.
func TestEveryFieldOfAMessageIsDecidedAbout(t *testing.T) {
	t.Parallel()
	constants := contentConstants(t)
	typ := reflect.TypeFor[telego.Message]()
	contents := 0
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		isContent := hasContent(bot.Content(name))
		if isContent != slices.Contains(constants, name) {
			t.Errorf("%s: Has knows it: %v, it has a constant: %v; make it a content or a circumstance", name, isContent, !isContent)
		}
		if !isContent {
			continue
		}
		contents++
		var m telego.Message
		reflect.ValueOf(&m).Elem().Field(i).Set(filled(typ.Field(i).Type))
		if !passes(t, bot.Has(bot.Content(name)), messageOf(m)) {
			t.Errorf("a message with %s does not pass", name)
		}
		if name != "text" && passes(t, bot.Has(bot.Content(name)), message("hi")) {
			t.Errorf("a text passes as %s", name)
		}
	}
	if contents != len(constants) || contents < 70 {
		t.Errorf("%d contents and %d constants", contents, len(constants))
	}
}

func hasContent(c bot.Content) (ok bool) {
	defer func() { ok = recover() == nil }()
	bot.Has(c)
	return
}

// filled is a value of a type that is not its zero.
func filled(typ reflect.Type) reflect.Value {
	switch v := reflect.New(typ).Elem(); typ.Kind() {
	case reflect.Pointer:
		return reflect.New(typ.Elem())
	case reflect.Slice:
		return reflect.MakeSlice(typ, 1, 1)
	case reflect.Interface:
		return reflect.ValueOf(&telego.Message{})
	case reflect.String:
		v.SetString("x")
		return v
	case reflect.Bool:
		v.SetBool(true)
		return v
	default:
		v.SetInt(1)
		return v
	}
}

// contentConstants reads the values of all constants of the type Content.
func contentConstants(t *testing.T) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "content.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			typ, _ := spec.Type.(*ast.Ident)
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && typ != nil && typ.Name == "Content" {
				text, _ := strconv.Unquote(value.Value)
				values = append(values, text)
			}
		}
		return true
	})
	return values
}

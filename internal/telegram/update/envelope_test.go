package update_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

const botID = 42

// situation is one line of testdata/envelopes.jsonl.
type situation struct {
	Name string
	Want struct {
		Type, Kind, ID, Album string
		Chat, User, Thread    int64
		Lanes                 []lane.Key // by chat, chat_topic, chat_user, user
	}
	Update json.RawMessage
}

func situations(tb testing.TB) []situation {
	tb.Helper()
	var all []situation
	for _, line := range lines(tb, "testdata/envelopes.jsonl") {
		var s situation
		if err := json.Unmarshal(line, &s); err != nil {
			tb.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func lines(tb testing.TB, file string) [][]byte {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var all [][]byte
	in := bufio.NewScanner(bytes.NewReader(text))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		all = append(all, bytes.Clone(in.Bytes()))
	}
	return all
}

func TestEverySituationOfEveryTypeHasItsRouteAndLane(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range situations(t) {
		t.Run(s.Name, func(t *testing.T) {
			got, err := update.Peek(botID, s.Update)
			if err != nil {
				t.Fatal(err)
			}
			seen[got.Type] = true
			var id struct {
				UpdateID int64 `json:"update_id"`
			}
			_ = json.Unmarshal(s.Update, &id)
			want := update.Envelope{
				UpdateID: id.UpdateID, Type: s.Want.Type, Album: s.Want.Album,
				Scope: lane.Scope{
					Bot: botID, Kind: lane.Kind(s.Want.Kind[0]), Chat: s.Want.Chat, User: s.Want.User,
					Thread: s.Want.Thread, ID: s.Want.ID,
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for by, key := range s.Want.Lanes {
				if k := lane.By(by).Key(got.Scope); k != key {
					t.Errorf("lane by %v is %q, want %q", lane.By(by), k, key)
				}
			}
		})
	}
	for _, typ := range update.Types() {
		if !seen[typ] || !update.IsKnown(typ) {
			t.Errorf("no situation of type %s", typ)
		}
	}
	if n := len(update.Types()); n != 29 {
		t.Errorf("%d types, want 29", n)
	}
}

// What public test suites send. The broken ones among them are refused, each for its reason.
func TestUpdatesOfOtherSuitesAreRoutedOrRefused(t *testing.T) {
	broken := map[int]update.Reason{
		2:  update.NoPayload,  // {"something unknown to us": 17}
		4:  update.NoRoute,    // a message without a chat
		6:  update.NoRoute,    // ids that were made 0
		12: update.NoRoute,    // a message with nothing but its id
		13: update.BadPayload, // "message": "unknown_format"
	}
	for i, line := range lines(t, "testdata/updates.jsonl") {
		var l struct{ Update json.RawMessage }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		e, err := update.Peek(botID, l.Update)
		if got := update.ReasonOf(err); got != broken[i+1] {
			t.Errorf("line %d: reason %q, want %q", i+1, got, broken[i+1])
		}
		if err == nil && (e.Kind == lane.KindOther || e.User == 0 && e.Type != "message_reaction_count") {
			t.Errorf("line %d: no scope: %+v", i+1, e)
		}
	}
}

func TestUnreadableUpdatesSayWhy(t *testing.T) {
	const msg = `{"chat":{"id":5,"type":"private"},"from":{"id":5}}`
	deep := func(n int) string {
		return `{"update_id":1,"message":{"chat":{"id":5},"x":` + strings.Repeat("[", n-2) + strings.Repeat("]", n-2) + `}}`
	}
	for _, tt := range []struct {
		name, body string
		want       update.Reason
	}{
		{"empty", ``, update.NotJSON},
		{"cut off", `{"update_id":1,"message":{"chat":{"id":5`, update.NotJSON},
		{"garbage behind", `{"update_id":1,"message":` + msg + `}x`, update.NotJSON},
		{"second document", `{"update_id":1,"message":` + msg + `}{}`, update.NotJSON},
		{"name twice", `{"update_id":1,"message":` + msg + `,"message":` + msg + `}`, ""},
		{"name twice by escape", `{"update_id":1,"message":{"chat":{"id":5,"i\u0064":6}}}`, ""},
		{"name twice far inside", `{"update_id":1,"message":{"chat":{"id":5},"a":[{"b":1,"b":2}]}}`, ""},
		{"name twice, cut off", `{"update_id":1,"message":{"chat":{"id":5,"id":6`, update.NotJSON},
		{"name twice, the last one bad", `{"update_id":1,"message":{"chat":{"id":5,"id":"6"}}}`, update.BadID},
		{"name twice, the first one bad", `{"update_id":1,"message":{"chat":{"id":"5","id":6}}}`, ""},
		{"name twice, and no chat", `{"update_id":1,"message":{"a":1,"a":2}}`, update.NoRoute},
		{"bad encoding", "{\"update_id\":1,\"message\":{\"chat\":{\"id\":5},\"text\":\"\xff\"}}", ""},
		{"bad encoding, and no id", "{\"message\":{\"chat\":{\"id\":5},\"text\":\"\xff\"}}", update.NoUpdateID},
		{"bad encoding of a name", "{\"update_id\":1,\"message\":{\"chat\":{\"id\":5},\"te\xffxt\":\"a\"}}", ""},
		{"bad encoding outside of strings", "{\"update_id\":1,\"message\":{\"chat\":{\"id\":5}}\xff}", update.NotJSON},
		{"bad encoding, second document", "{\"update_id\":1,\"message\":{\"chat\":{\"id\":5},\"text\":\"\xff\"}}{}", update.NotJSON},
		{"lone surrogate", `{"update_id":1,"message":{"chat":{"id":5},"text":"\ud83d"}}`, ""},
		{"lone surrogate behind another", `{"update_id":1,"message":{"chat":{"id":5},"text":"\ude00\ud83d"}}`, ""},
		{"leading zero", `{"update_id":1,"message":{"chat":{"id":05}}}`, update.NotJSON},
		{"list", `[{"update_id":1}]`, update.NotObject},
		{"null", `null`, update.NotObject},
		{"null and garbage", `null x`, update.NotJSON},
		{"no id", `{"message":` + msg + `}`, update.NoUpdateID},
		{"id is text", `{"update_id":"1","message":` + msg + `}`, update.NoUpdateID},
		{"id is no whole number", `{"update_id":1.0,"message":` + msg + `}`, update.NoUpdateID},
		{"id below 0", `{"update_id":-1,"message":` + msg + `}`, update.NoUpdateID},
		{"id too large", `{"update_id":9223372036854775808,"message":` + msg + `}`, update.NoUpdateID},
		{"id in other case", `{"UPDATE_ID":1,"message":` + msg + `}`, update.NoUpdateID},
		{"no payload", `{"update_id":1}`, update.NoPayload},
		{"null payload", `{"update_id":1,"message":null}`, update.NoPayload},
		{"unknown payload is no object", `{"update_id":1,"moment":[{"chat":{"id":5}}]}`, update.NoPayload},
		{"known payload is no object", `{"update_id":1,"message":"hi"}`, update.BadPayload},
		{"two payloads", `{"update_id":1,"message":` + msg + `,"edited_message":` + msg + `}`, update.TwoPayloads},
		{"two payloads, one unknown", `{"update_id":1,"moment":{},"message":` + msg + `}`, update.TwoPayloads},
		{"chat id is a float", `{"update_id":1,"message":{"chat":{"id":5.5}}}`, update.BadID},
		{"chat id is an exponent", `{"update_id":1,"message":{"chat":{"id":1e2}}}`, update.BadID},
		{"chat id is text", `{"update_id":1,"message":{"chat":{"id":"5"}}}`, update.BadID},
		{"chat id too large", `{"update_id":1,"message":{"chat":{"id":9223372036854775808}}}`, update.BadID},
		{"user id is text", `{"update_id":1,"message":{"chat":{"id":5},"from":{"id":"5"}}}`, update.BadID},
		{"no chat", `{"update_id":1,"message":{"from":{"id":5}}}`, update.NoRoute},
		{"chat in other case", `{"update_id":1,"message":{"CHAT":{"id":5}}}`, update.NoRoute},
		{"chat is no object", `{"update_id":1,"message":{"chat":5}}`, update.NoRoute},
		{"no user", `{"update_id":1,"inline_query":{"id":"1","query":""}}`, update.NoRoute},
		{"poll without id", `{"update_id":1,"poll":{}}`, update.NoRoute},
		{"business message without connection", `{"update_id":1,"business_message":` + msg + `}`, update.NoRoute},
		{"button without user", `{"update_id":1,"callback_query":{"id":"1"}}`, update.NoRoute},
		{"deepest that is read", deep(update.MaxDepth), ""},
		{"too deep", deep(update.MaxDepth + 1), update.TooDeep},
		{"deep only in a string", `{"update_id":1,"message":{"chat":{"id":5},"text":"\\\"` + strings.Repeat("[", 200) + `\\"}}`, ""},
		{"a stack of brackets", strings.Repeat("[", 1<<20), update.TooDeep},
		{"too big", `{"update_id":1,"message":` + msg + `}` + strings.Repeat(" ", update.MaxBody), update.TooBig},
		{"null members are absent", `{"update_id":1,"edited_message":null,"message":{"chat":{"id":5},"from":null,"sender_chat":null}}`, ""},
		{"white space", " {\n\"update_id\" : 1 ,\t\"message\" : " + msg + " }\r\n", ""},
		{"escaped names", `{"update\u005fid":1,"mess\u0061ge":{"ch\u0061t":{"\u0069d":5}}}`, ""},
		{"scalars beside the payload", `{"update_id":1,"message":` + msg + `,"attempt":2,"tags":["a"]}`, ""},
		{"unknown type with odd ids", `{"update_id":1,"moment":{"chat":{"id":"a"},"user":{"id":1.5}}}`, ""},
	} {
		e, err := update.Peek(botID, []byte(tt.body))
		if got := update.ReasonOf(err); got != tt.want {
			t.Errorf("%s: reason %q, want %q", tt.name, got, tt.want)
		}
		if tt.want != "" && (!errors.Is(err, update.ErrUnreadable) || !slices.Contains(update.Reasons(), tt.want)) {
			t.Errorf("%s: error %v is not of the closed set", tt.name, err)
		}
		if err == nil && e.UpdateID != 1 {
			t.Errorf("%s: update id %d, want 1", tt.name, e.UpdateID)
		}
	}
}

func TestPeekKeepsNothingOfTheBody(t *testing.T) {
	for _, s := range situations(t) {
		want, err := update.Peek(botID, s.Update)
		if err != nil {
			t.Fatal(err)
		}
		body := bytes.Clone(s.Update)
		got, _ := update.Peek(botID, body)
		for i := range body {
			body[i] = 'x'
		}
		if got != want {
			t.Errorf("%s: the envelope changed with the body", s.Name)
		}
	}
}

func TestDeadlineClasses(t *testing.T) {
	want := map[string]time.Duration{
		"pre_checkout_query": 10 * time.Second, "shipping_query": 10 * time.Second, "chat_join_request": 10 * time.Second,
		"widget_query": 15 * time.Second, "shared_widget_query": 15 * time.Second,
		"inline_query": 30 * time.Second, "callback_query": 150 * time.Second,
	}
	for _, typ := range append(update.Types(), "moment", update.UnknownType) {
		if got := update.AnswerWithin(typ); got != want[typ] {
			t.Errorf("%s is to be answered within %v, want %v", typ, got, want[typ])
		}
	}
}

func BenchmarkPeek(b *testing.B) {
	for _, s := range situations(b) {
		switch s.Name {
		case "text in private", "button in forum topic", "photo of an album", "business message", "unknown type with a message":
			b.Run(strings.ReplaceAll(s.Name, " ", "_"), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(s.Update)))
				for b.Loop() {
					if _, err := update.Peek(botID, s.Update); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

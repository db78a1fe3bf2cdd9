package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/simulator/simtest"
)

type object = map[string]any

func TestRefusalsAreTelegrams(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	tg.Person(1, "Ann").Say("hello")
	tg.Person(2, "Ben").Block()
	tg.Group(-5, "Old").Migrate(-1_000_000_000_005)
	for _, c := range []struct {
		method string
		params object
		code   int
		says   string
	}{
		{"sendMessage", object{"chat_id": 1, "text": " "}, 400, "Bad Request: message text is empty"},
		{"sendMessage", object{"chat_id": 1, "text": strings.Repeat("x", 4097)}, 400, "Bad Request: message is too long"},
		{"sendMessage", object{"text": "hi"}, 400, "Bad Request: chat_id is empty"},
		{"sendMessage", object{"chat_id": 99, "text": "hi"}, 400, "Bad Request: chat not found"},
		{"sendMessage", object{"chat_id": 2, "text": "hi"}, 403, "Forbidden: bot was blocked by the user"},
		{"sendMessage", object{"chat_id": -5, "text": "hi"}, 400, "Bad Request: group chat was upgraded to a supergroup chat"},
		{"sendPhoto", object{"chat_id": 1}, 400, "Bad Request: there is no photo in the request"},
		{"editMessageText", object{"chat_id": 1, "message_id": 1, "text": "hi"}, 400, "Bad Request: message to edit not found"},
		{"deleteMessage", object{"chat_id": 1, "message_id": 77}, 400, "Bad Request: message to delete not found"},
		{"answerCallbackQuery", object{"callback_query_id": "77"}, 400, "Bad Request: query is too old and response timeout expired or query ID is invalid"},
		{"setWebhook", object{"url": "nonsense"}, 400, "Bad Request: bad webhook: an HTTPS URL must be provided for webhook"},
		{"sendNonsense", object{}, 404, "Not Found: method not found"},
	} {
		a, resp := call(t, base, simulator.Token, c.method, c.params)
		if a.OK || a.Code != c.code || resp.StatusCode != c.code || a.Description != c.says {
			t.Errorf("%s %v: %d %+v", c.method, c.params, resp.StatusCode, a)
		}
		if c.params["chat_id"] == -5 && a.Parameters.MigrateTo != -1_000_000_000_005 {
			t.Errorf("migrate_to_chat_id: %d", a.Parameters.MigrateTo)
		}
	}
	if a, resp := call(t, base, "42:wrong", "getMe", nil); resp.StatusCode != 401 || a.Description != "Unauthorized" {
		t.Errorf("wrong token: %+v", a)
	}
	if n := len(tg.Calls()); n != 0 {
		t.Errorf("%d calls were executed", n)
	}
	if n := len(tg.Calls(simulator.Filter{Refused: true})); n != 11 {
		t.Errorf("%d calls were noted as refused, want all but the unknown method", n)
	}
}

func TestParametersComeInEveryForm(t *testing.T) {
	tg := simulator.New(simulator.Config{AnyChat: true})
	base := simtest.Serve(t, tg)
	to := base + "/bot" + simulator.Token + "/SENDmessage"
	form := url.Values{"chat_id": {"1"}, "text": {"hi"}, "reply_markup": {`{"inline_keyboard":[[{"text":"A","callback_data":"a"}]]}`}}
	var parts bytes.Buffer
	mw := multipart.NewWriter(&parts)
	for name := range form {
		_ = mw.WriteField(name, form.Get(name))
	}
	_ = mw.Close()
	post(t, to, "application/json", strings.NewReader(`{"chat_id":1,"text":"hi","reply_markup":{"inline_keyboard":[[{"text":"A","callback_data":"a"}]]},"parse_mode":null}`))
	post(t, to, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	post(t, to+"?"+form.Encode(), "", strings.NewReader(""))
	post(t, to, mw.FormDataContentType(), &parts)
	calls := tg.Calls()
	if len(calls) != 4 {
		t.Fatalf("%d calls", len(calls))
	}
	for i, c := range calls {
		if c.Method != "sendMessage" || c.Chat != 1 || c.Text != "hi" || c.MessageID != int64(i+1) {
			t.Errorf("call %d: %+v", i, c)
		}
	}
	for _, m := range tg.Person(1, "Ann").Sees() {
		if b := m.Buttons(); len(b) != 1 || b[0][0].Data != "a" {
			t.Errorf("buttons: %v", b)
		}
	}
}

func TestUploadsAreRecordedByNameSizeAndDigest(t *testing.T) {
	tg := simulator.New(simulator.Config{AnyChat: true})
	base := simtest.Serve(t, tg)
	var body bytes.Buffer
	mw := multipart.NewWriter(&body)
	_ = mw.WriteField("chat_id", "1")
	_ = mw.WriteField("caption", "the list")
	w, _ := mw.CreateFormFile("document", "list.txt")
	_, _ = io.WriteString(w, "hello")
	_ = mw.Close()
	a, _ := post(t, base+"/bot"+simulator.Token+"/sendDocument", mw.FormDataContentType(), &body)
	want := []simulator.Upload{{
		Field: "document", Name: "list.txt", Size: 5,
		SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
	}}
	if d := cmp.Diff(want, tg.Calls()[0].Files); d != "" {
		t.Error(d)
	}
	var m simulator.Message
	if err := json.Unmarshal(a.Result, &m); err != nil || m.Document == nil || m.Document.Name != "list.txt" || m.Caption != "the list" {
		t.Errorf("message: %s", a.Result)
	}
}

// bottest has the same rules: a call that passes a test there passes here.
func TestCallsAreRefusedByTheRules(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	tg.Person(1, "Ann")
	call(t, base, simulator.Token, "sendMessage", object{"chat_id": 1, "text": "one"})
	call(t, base, simulator.Token, "sendPhoto", object{"chat_id": 1, "photo": "F", "caption": "two"})
	for want, c := range map[string]object{
		"message is too long":          {"method": "sendMessage", "text": strings.Repeat("x", 5000)},
		"message text is empty":        {"method": "sendMessage", "text": "<b>\u00a0</b>", "parse_mode": "HTML"},
		"can't parse entities":         {"method": "sendMessage", "text": "<b>x & <", "parse_mode": "HTML"},
		"BUTTON_DATA_INVALID":          {"method": "sendMessage", "text": "x", "reply_markup": object{"inline_keyboard": []any{[]any{object{"text": "A", "callback_data": strings.Repeat("x", 65)}}}}},
		"caption is too long":          {"method": "sendPhoto", "photo": "F", "caption": strings.Repeat("x", 1025)},
		"there is no text":             {"method": "editMessageText", "message_id": 2, "text": "x"},
		"there is no caption":          {"method": "editMessageCaption", "message_id": 1, "caption": "x"},
		"message is not modified":      {"method": "editMessageCaption", "message_id": 2, "caption": "two"},
		"MESSAGE_TOO_LONG":             {"method": "answerCallbackQuery", "callback_query_id": "q", "text": strings.Repeat("x", 300)},
		"an album has 2 to 10 media":   {"method": "sendMediaGroup", "media": []any{object{"type": "photo", "media": "F"}}},
		"must be escaped":              {"method": "sendMessage", "text": "1.", "parse_mode": "MarkdownV2"},
		"poll question must have 1 to": {"method": "sendPoll", "question": " "},
	} {
		method := c["method"].(string)
		delete(c, "method")
		c["chat_id"] = 1
		if a, _ := call(t, base, simulator.Token, method, c); a.OK || !strings.Contains(a.Description, want) {
			t.Errorf("%s: %+v, want %q", method, a, want)
		}
	}
}

func TestEditsAndDeletesShowInChats(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	ann := tg.Person(1, "Ann")
	for _, text := range []string{"one", "two", "three"} {
		call(t, base, simulator.Token, "sendMessage", object{"chat_id": 1, "text": text})
	}
	if a, _ := call(t, base, simulator.Token, "editMessageText", object{"chat_id": 1, "message_id": 2, "text": "TWO"}); !a.OK {
		t.Fatal(a)
	}
	if a, _ := call(t, base, simulator.Token, "editMessageText", object{"chat_id": 1, "message_id": 2, "text": "TWO"}); !strings.Contains(a.Description, "not modified") {
		t.Error(a)
	}
	call(t, base, simulator.Token, "deleteMessages", object{"chat_id": 1, "message_ids": []int{1, 9}})
	if d := cmp.Diff([]string{"TWO", "three"}, ann.Texts()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"one", "two", "three"}, tg.Replies(1)); d != "" {
		t.Error(d)
	}
}

func TestPollingDeliversConfirmsAndYields(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	get := func(params object) (ids []int64, a answerJSON) {
		a, _ = call(t, base, simulator.Token, "getUpdates", params)
		var updates []struct {
			ID int64 `json:"update_id"`
		}
		_ = json.Unmarshal(a.Result, &updates)
		for _, u := range updates {
			ids = append(ids, u.ID)
		}
		return ids, a
	}
	for range 3 {
		tg.Say(1, "Ann", "hello")
		tg.Say(2, "Ben", "hello")
	}
	ids, _ := get(object{"limit": 4})
	if len(ids) != 4 {
		t.Fatalf("got %v", ids)
	}
	rest, _ := get(object{"offset": ids[3] + 1})
	if len(rest) != 2 || rest[0] != ids[3]+1 || tg.Pending() != 2 {
		t.Errorf("after confirming: %v, %d pending", rest, tg.Pending())
	}
	if last, _ := get(object{"offset": -1}); len(last) != 1 || last[0] != rest[1] {
		t.Errorf("the last: %v", last)
	}
	got := make(chan []int64, 1)
	go func() {
		ids, _ := get(object{"offset": rest[1] + 1, "timeout": 9})
		got <- ids
	}()
	for tg.Pending() > 0 {
		time.Sleep(time.Millisecond)
	}
	tg.Say(1, "Ann", "late")
	if ids := <-got; len(ids) != 1 {
		t.Errorf("waiting gave %v", ids)
	}
	refused := make(chan answerJSON, 1)
	go func() {
		_, a := get(object{"offset": rest[1] + 2, "timeout": 9})
		refused <- a
	}()
	for tg.Pending() > 0 {
		time.Sleep(time.Millisecond)
	}
	get(object{"timeout": 0})
	if a := <-refused; a.Code != 409 {
		t.Errorf("the earlier poller: %+v", a)
	}
	call(t, base, simulator.Token, "setWebhook", object{"url": "http://127.0.0.1:1/hook"})
	if _, a := get(nil); a.Code != 409 {
		t.Errorf("beside a webhook: %+v", a)
	}
}

func TestWebhookIsSetOnceASecondAndKeepsItsTypes(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	set := func(params object) answerJSON {
		a, _ := call(t, base, simulator.Token, "setWebhook", params)
		return a
	}
	here := object{"url": "http://127.0.0.1:1/hook", "secret_token": secret, "allowed_updates": []string{"message", "chat_member"}, "max_connections": 7}
	if a := set(here); !a.OK {
		t.Fatal(a)
	}
	if a := set(object{"url": ""}); a.Code != 429 || a.Parameters.RetryAfter != 1 {
		t.Errorf("at once again: %+v", a)
	}
	time.Sleep(time.Second)
	delete(here, "allowed_updates")
	if a := set(here); !a.OK {
		t.Fatal(a)
	}
	a, _ := call(t, base, simulator.Token, "getWebhookInfo", nil)
	var info object
	_ = json.Unmarshal(a.Result, &info)
	want := object{
		"url": here["url"], "has_custom_certificate": false, "pending_update_count": 0.0, "max_connections": 7.0,
		"allowed_updates": []any{"message", "chat_member"},
	}
	if d := cmp.Diff(want, info); d != "" {
		t.Error(d)
	}
	if id := tg.Push("callback_query", object{"id": "1", "from": object{"id": 1}}); id != 0 {
		t.Error("a type that was not asked for was queued")
	}
}

func TestQueriesAreAnsweredUntilTheyExpire(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	ann := tg.Person(1, "Ann")
	id := ann.Press(1, "go")
	if a, _ := call(t, base, simulator.Token, "answerCallbackQuery", object{"callback_query_id": id, "text": "gone"}); !a.OK {
		t.Fatal(a)
	}
	if got, err := ann.Answered(within(t, time.Second), id); got != "gone" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	pay := ann.Pay("cart", 5)
	if a, _ := call(t, base, simulator.Token, "answerPreCheckoutQuery", object{"pre_checkout_query_id": pay, "ok": true}); !a.OK {
		t.Error(a)
	}
}

func TestFilesCanBeFetched(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	base := simtest.Serve(t, tg)
	m := tg.Person(1, "Ann").Document("list.txt", "see", []byte("hello"))
	a, _ := call(t, base, simulator.Token, "getFile", object{"file_id": m.Document.ID})
	var f struct {
		Path string `json:"file_path"`
	}
	_ = json.Unmarshal(a.Result, &f)
	resp, err := http.Get(base + "/file/bot" + simulator.Token + "/" + f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	if content, _ := io.ReadAll(resp.Body); string(content) != "hello" {
		t.Errorf("content %q", content)
	}
}

func TestFloodIsRefusedWithRetryAfter(t *testing.T) {
	tg := simulator.New(simulator.Config{AnyChat: true, Flood: simulator.Flood{ChatPerSecond: 1, GroupPerMinute: 2}})
	base := simtest.Serve(t, tg)
	if a, _ := call(t, base, simulator.Token, "sendMessage", object{"chat_id": 1, "text": "a"}); !a.OK {
		t.Fatal(a)
	}
	a, resp := call(t, base, simulator.Token, "sendMessage", object{"chat_id": 1, "text": "b"})
	if a.Code != 429 || a.Parameters.RetryAfter != 1 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%+v", a)
	}
}

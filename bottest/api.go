package bottest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mymmrac/telego"
	ta "github.com/mymmrac/telego/telegoapi"

	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/rules"
)

// Call is one call of the Bot API that the bot made.
type Call struct {
	Method string
	Params json.RawMessage // files stand as their names
}

// Stub answers a method instead of the simulation: with a result that encodes as JSON, or with an error of
// [Refuse].
type Stub func(params json.RawMessage) (result any, err error)

// Refuse makes the error of a Bot API call, for a [Stub]. Error handlers do not see codes
// 429 and 5xx: a worker tries the turn again. They see a 429 with a wait of more than 3
// minutes, which a stub returns as a *telegoapi.Error.
func Refuse(code int, description string) error {
	return refusal("", &ta.Error{ErrorCode: code, Description: description})
}

// refusal gives a refusal the worker's form, which says whose fault it is and has telego's error within.
func refusal(method string, err error) error {
	if rule, ok := errors.AsType[*rules.Refusal](err); ok {
		err = &ta.Error{ErrorCode: rule.Code, Description: rule.Description}
	}
	no, ok := errors.AsType[*ta.Error](err)
	if !ok {
		return err
	}
	e := &api.Error{Method: method, Code: no.ErrorCode, Description: no.Description}
	if p := no.Parameters; p != nil {
		e.RetryAfter, e.MigrateTo = time.Duration(p.RetryAfter)*time.Second, p.MigrateToChatID
	}
	if e.Code == http.StatusTooManyRequests && e.RetryAfter == 0 {
		e.RetryAfter = time.Second // every 429 has one
	}
	return api.TellFlood(e, 0, api.FloodWait, api.FloodWait)
}

// Stub answers a method by f from now on; nil returns it to the simulation.
func (w *World) Stub(method string, f Stub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stubs[method] = f
}

// Calls lists the Bot API calls so far: of these methods, or of all.
func (w *World) Calls(methods ...string) []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var calls []Call
	for _, c := range w.calls {
		if len(methods) == 0 || slices.Contains(methods, c.Method) {
			calls = append(calls, c)
		}
	}
	return calls
}

func newAPI(t T, w *World) *telego.Bot {
	t.Helper()
	token := fmt.Sprintf("%d:%s", w.cfg.Bot.ID, strings.Repeat("x", 35))
	api, err := telego.NewBot(token, telego.WithAPICaller(caller{w}), telego.WithDiscardLogger())
	if err != nil {
		t.Fatalf("make the bot's API: %v", err)
	}
	return api
}

type caller struct{ w *World }

func (c caller) Call(ctx context.Context, url string, data *ta.RequestData) (*ta.Response, error) {
	params, err := paramsOf(data)
	if err != nil {
		return nil, err
	}
	result, err := c.w.callRaw(ctx, path.Base(url), params)
	if err != nil {
		return nil, err // a telego answer would lose our error type
	}
	return &ta.Response{Ok: true, Result: result}, nil
}

func (w *World) callAny(ctx context.Context, method string, params any) (json.RawMessage, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	return w.callRaw(ctx, method, raw)
}

func (w *World) callRaw(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	w.compiled()
	return w.call(ctx, api.Method(method), params)
}

func paramsOf(data *ta.RequestData) (json.RawMessage, error) {
	kind, attrs, err := mime.ParseMediaType(data.ContentType)
	if err != nil {
		return nil, fmt.Errorf("read content type: %w", err)
	}
	if kind == ta.ContentTypeJSON {
		return data.BodyRaw, nil
	}
	fields, texts := map[string]any{}, map[string]string{}
	var files []string
	r := multipart.NewReader(data.BodyStream, attrs["boundary"])
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			if err := rules.CheckParts(texts, files); err != nil {
				return nil, err
			}
			return json.Marshal(fields)
		}
		if err != nil {
			return nil, fmt.Errorf("read form: %w", err)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("read form: %w", err)
		}
		text := string(body)
		if part.FileName() == "" {
			texts[part.FormName()] = text
		}
		switch {
		case part.FileName() != "":
			fields[part.FormName()] = part.FileName()
			files = append(files, part.FormName())
		case part.FormName() != "text" && part.FormName() != "caption" && json.Valid(body):
			fields[part.FormName()] = json.RawMessage(body)
		default:
			fields[part.FormName()] = text
		}
	}
}

func (w *World) perform(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	stub := w.stubs[method]
	w.calls = append(w.calls, Call{Method: method, Params: params})
	w.mu.Unlock()
	var result any
	var err error
	if stub != nil {
		result, err = stub(params)
	} else {
		result, err = w.simulate(method, params)
	}
	if err != nil {
		return nil, refusal(method, err)
	}
	return json.Marshal(result)
}

type request struct {
	ChatID          json.RawMessage            `json:"chat_id"`
	MessageID       int                        `json:"message_id"`
	Thread          int                        `json:"message_thread_id"`
	InlineMessageID string                     `json:"inline_message_id"`
	CallbackQueryID string                     `json:"callback_query_id"`
	Text            string                     `json:"text"`
	Caption         string                     `json:"caption"`
	ParseMode       string                     `json:"parse_mode"`
	UserID          int64                      `json:"user_id"`
	Media           []struct{ Caption string } `json:"media"`
	Markup          json.RawMessage            `json:"reply_markup"`
	Preview         json.RawMessage            `json:"link_preview_options"`
	Rich            json.RawMessage            `json:"rich_message"`
	Reply           *struct {
		MessageID int64 `json:"message_id"`
	} `json:"reply_parameters"`
}

func (w *World) simulate(method string, params json.RawMessage) (any, error) {
	if err := check(method, params); err != nil {
		return nil, err
	}
	var r request
	if method != "editMessageMedia" && len(params) > 0 {
		if err := json.Unmarshal(params, &r); err != nil {
			return nil, Refuse(400, "Bad Request: "+err.Error())
		}
	}
	if err := w.reach(method, r.ChatID); err != nil {
		return nil, err
	}
	switch {
	case method == "getMe":
		return w.self(), nil
	case method == "answerCallbackQuery":
		return true, w.noticed(r)
	case method == "answerGuestQuery":
		return telego.SentGuestMessage{InlineMessageID: fmt.Sprintf("guest%d", w.next())}, nil
	case method == "sendMediaGroup":
		return w.sentAlbum(r)
	case method == "sendChatAction", method == "sendMessageDraft":
		return true, nil
	case strings.HasPrefix(method, "send"), method == "forwardMessage":
		return w.sent(method, r, r.Text+r.Caption)
	case method == "copyMessage":
		m, err := w.sent(method, r, r.Caption)
		return telego.MessageID{MessageID: m.MessageID}, err
	case strings.HasPrefix(method, "editMessage"):
		return w.edited(method, r)
	case method == "deleteMessage":
		return true, w.deleted(r)
	}
	return true, nil
}

func check(method string, params json.RawMessage) error {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(params, &fields) // what is no object has none
	return rules.Check(method, func(name string) string {
		var text string
		if raw := fields[name]; json.Unmarshal(raw, &text) != nil {
			return string(raw)
		}
		return text
	})
}

func (w *World) reach(method string, id json.RawMessage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, _ := strconv.ParseInt(string(id), 10, 64)
	if c := w.chats[n]; c != nil && c.blocked && !strings.HasPrefix(method, "get") {
		return rules.Blocked(c.info.Type)
	}
	return nil
}

func (w *World) self() telego.User {
	return telego.User{ID: w.cfg.Bot.ID, IsBot: true, FirstName: "Bot", Username: w.cfg.Bot.Username}
}

package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	ta "github.com/mymmrac/telego/telegoapi"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// reply is the call that an answer carries, as the journal keeps it; no method means no call.
type reply struct {
	Method string            `json:"method,omitempty"`
	Params json.RawMessage   `json:"params,omitempty"` // of an answer in JSON
	Fields map[string]string `json:"fields,omitempty"` // of a form
	Files  []file            `json:"files,omitempty"`
}

type file struct {
	Field string `json:"field"`
	Name  string `json:"name"`
	Data  []byte `json:"data"`
}

// read finds the call by content type, as Telegram does. What cannot be read carries no call.
func read(contentType string, body []byte) reply {
	r := readCall(contentType, body)
	if r.Method != "" && !allowed(r.Method) {
		return reply{Method: ignoredMethod} // the journal keeps nothing of it
	}
	return r
}

// ignoredMethod stands in the journal for a call that is not carried out.
const ignoredMethod = "-"

func readCall(contentType string, body []byte) reply {
	kind, attrs, err := mime.ParseMediaType(contentType)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return reply{}
	}
	switch kind {
	case "application/json":
		return readJSON(body)
	case "application/x-www-form-urlencoded":
		return readValues(body)
	case "multipart/form-data":
		return readForm(body, attrs["boundary"])
	}
	return reply{}
}

func readJSON(body []byte) reply {
	var fields map[string]json.RawMessage
	var method string
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields["method"], &method) != nil {
		return reply{}
	}
	delete(fields, "method")
	params, err := json.Marshal(fields)
	if err != nil {
		return reply{}
	}
	return reply{Method: method, Params: params}
}

func readValues(body []byte) reply {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return reply{}
	}
	fields := make(map[string]string, len(values))
	for name := range values {
		fields[name] = values.Get(name)
	}
	return formReply(fields, nil)
}

func readForm(body []byte, boundary string) reply {
	fields, files := map[string]string{}, []file(nil)
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return formReply(fields, files)
		}
		if err != nil {
			return reply{}
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return reply{}
		}
		if part.FileName() != "" {
			files = append(files, file{Field: part.FormName(), Name: part.FileName(), Data: data})
			continue
		}
		fields[part.FormName()] = string(data)
	}
}

func formReply(fields map[string]string, files []file) reply {
	method := fields["method"]
	delete(fields, "method")
	if method == "" {
		return reply{}
	}
	return reply{Method: method, Fields: fields, Files: files}
}

func (r reply) params() any {
	if r.Params != nil {
		return r.Params
	}
	form := api.Form{Fields: r.Fields, Files: make(map[string]ta.NamedReader, len(r.Files))}
	for _, f := range r.Files {
		form.Files[f.Field] = upload{bytes.NewReader(f.Data), f.Name}
	}
	return form
}

type upload struct {
	*bytes.Reader
	name string
}

func (u upload) Name() string { return u.name }

// allowed tells which methods of an answer are carried out. Telegram takes none that reads or sets the webhook up; one
// that gives a secret would make a new one that nobody sees.
func allowed(method string) bool {
	switch name := strings.ToLower(method); name {
	case "setwebhook", "deletewebhook", "close", "logout":
		return false
	default:
		return api.IsPossible(method) && !api.GivesSecret(method) && !strings.HasPrefix(name, "get")
	}
}

// carryOut makes the call of an answer. It drops the result and a final refusal: Telegram would not have told
// the bot either.
func (f *Forwarder) carryOut(ctx context.Context, t *bot.Turn, r reply) error {
	if r.Method == "" {
		return nil
	}
	if !allowed(r.Method) {
		f.metrics.replies.WithLabelValues(replyIgnored).Inc()
		f.log.WarnContext(ctx, "call in the bot's answer is not one that Telegram carries out", slog.Int64("bot", t.Bot().ID))
		return nil
	}
	_, err := t.Call(ctx, r.Method, r.params())
	switch {
	case err == nil:
		f.metrics.replies.WithLabelValues(replyCalled).Inc()
	case refused(err), errors.Is(err, bot.ErrMaybeSent):
		f.metrics.replies.WithLabelValues(replyRefused).Inc()
		f.log.WarnContext(ctx, "call in the bot's answer was refused", slog.Int64("bot", t.Bot().ID), slog.String("error", err.Error()))
	default:
		return err
	}
	return nil
}

func refused(err error) bool {
	no, ok := errors.AsType[*ta.Error](err)
	if !ok {
		return false
	}
	switch no.ErrorCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return false
}

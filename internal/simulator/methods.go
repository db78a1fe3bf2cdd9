package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

type method struct {
	name string // as documented
	do   func(ctx context.Context, r *request) (any, error)
	// quiet methods only read, and are not recorded.
	quiet bool
}

func methods() map[string]method {
	all := make(map[string]method)
	add := func(do func(ctx context.Context, r *request) (any, error), names ...string) {
		for _, name := range names {
			all[strings.ToLower(name)] = method{name, do, strings.HasPrefix(name, "get")}
		}
	}
	add(getMe, "getMe")
	add(getUpdates, "getUpdates")
	add(setWebhook, "setWebhook")
	add(deleteWebhook, "deleteWebhook")
	add(getWebhookInfo, "getWebhookInfo")
	add(inChat(sendMessage), "sendMessage")
	add(inChat(sendMedia), "sendPhoto", "sendDocument", "sendAudio", "sendVideo", "sendAnimation", "sendVoice",
		"sendVideoNote", "sendSticker", "sendLocation", "sendVenue", "sendContact", "sendPoll", "sendDice", "sendInvoice",
		"sendPaidMedia", "sendGame", "sendChecklist", "sendWidget", "sendSharedWidget")
	add(inChat(sendMediaGroup), "sendMediaGroup")
	add(inChat(accept), "sendChatAction", "sendMessageDraft", "pinChatMessage", "unpinChatMessage", "unpinAllChatMessages",
		"banChatMember", "unbanChatMember", "restrictChatMember", "promoteChatMember", "setChatTitle",
		"setMessageReaction", "approveChatJoinRequest", "declineChatJoinRequest", "leaveChat")
	add(inChat(editMessage), "editMessageText", "editMessageCaption", "editMessageReplyMarkup", "editMessageMedia", "stopPoll")
	add(inChat(deleteMessages), "deleteMessage", "deleteMessages")
	add(inChat(copyMessage), "copyMessage")
	add(inChat(forwardMessage), "forwardMessage")
	add(inChat(getChat), "getChat")
	add(inChat(getChatMember), "getChatMember")
	add(answerQuery, "answerCallbackQuery", "answerInlineQuery", "answerPreCheckoutQuery", "answerShippingQuery",
		"answerWebAppQuery", "answerGuestQuery", "answerWidgetQuery")
	add(getFile, "getFile")
	add(keepSetting, "setMyCommands", "deleteMyCommands", "setChatMenuButton", "setMyName", "setMyDescription",
		"setMyShortDescription", "setMyDefaultAdministratorRights", "setMySettings", "editSharedWidgetData", "logOut", "close")
	add(getSetting, "getMyCommands")
	return all
}

// execute executes a call and records it. seq is -1 for a call that is not recorded.
func (t *Telegram) execute(ctx context.Context, m method, r *request) (result any, seq int, err error) {
	if m.quiet {
		result, err = m.do(ctx, r)
		return result, -1, err
	}
	b := r.bot
	b.mu.Lock()
	call := Call{
		At: time.Now(), Bot: b.id, Method: m.name, Chat: r.params.number("chat_id"), Text: r.params["text"],
		Params: r.params, Files: r.files, InWebhook: r.web, Code: 200, Caller: r.conn.callerName(), conn: r.conn.id(),
	}
	if call.Text == "" {
		call.Text = r.params["caption"]
	}
	if err = b.flood.check(m.name, call.Chat, call.At); err == nil {
		err = rules.Check(m.name, func(name string) string { return r.params[name] })
	}
	if err == nil {
		result, err = m.do(ctx, r)
	}
	if err != nil {
		call.Code = asAPIError(err).code
	}
	call.MessageID = messageIDOf(result, r.params)
	seq = t.record.add(call) // under the lock: the record has a chat's calls in the order of their effects
	b.mu.Unlock()
	t.record.changed.send()
	return result, seq, err
}

func messageIDOf(result any, p params) int64 {
	switch r := result.(type) {
	case *Message:
		return r.ID
	case []*Message:
		return r[0].ID
	case map[string]int64:
		return r["message_id"]
	}
	return p.number("message_id")
}

func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*rules.Refusal](err); ok {
		return &apiError{code: e.Code, what: e.Description}
	}
	return &apiError{code: 500, what: "Internal Server Error: " + err.Error()}
}

// executeReply executes the method in the answer to a webhook request, if Telegram allows it there, and drops
// the result.
func (b *Bot) executeReply(ctx context.Context, h http.Header, body []byte) {
	p, files, err := readParams(url.Values{}, h.Get("Content-Type"), bytes.NewReader(body))
	if err != nil {
		return
	}
	name := strings.ToLower(p["method"])
	m, ok := b.tg.methods[name]
	if !ok || m.quiet || name == "setwebhook" || name == "deletewebhook" || name == "close" || name == "logout" {
		return
	}
	delete(p, "method")
	_, _, _ = b.tg.execute(ctx, m, &request{bot: b, method: m.name, params: p, files: files, web: true})
}

func getMe(_ context.Context, r *request) (any, error) {
	return struct {
		User
		CanJoin bool `json:"can_join_groups"`
		ReadAll bool `json:"can_read_all_group_messages"`
		Inline  bool `json:"supports_inline_queries"`
	}{r.bot.user, true, false, true}, nil
}

func accept(*request, *Chat) (any, error) { return true, nil }

func keepSetting(_ context.Context, r *request) (any, error) {
	if r.method == "deleteMyCommands" {
		delete(r.bot.settings, "setMyCommands")
		return true, nil
	}
	r.bot.settings[r.method] = r.params.json("commands")
	return true, nil
}

func getSetting(_ context.Context, r *request) (any, error) {
	r.bot.mu.Lock()
	defer r.bot.mu.Unlock()
	if v := r.bot.settings["setMyCommands"]; v != nil {
		return v, nil
	}
	return json.RawMessage("[]"), nil
}

// getFile answers for any file id of the simulator, with or without content.
func getFile(_ context.Context, r *request) (any, error) {
	id := r.params["file_id"]
	folder, number, ok := strings.Cut(id, "_")
	if !ok {
		return nil, badRequest("invalid file_id")
	}
	path := folder + "/file_" + number
	r.bot.mu.Lock()
	defer r.bot.mu.Unlock()
	return map[string]any{"file_id": id, "file_unique_id": "u" + number, "file_size": len(r.bot.files[path]), "file_path": path}, nil
}

func answerQuery(_ context.Context, r *request) (any, error) {
	var id string
	for _, name := range []string{"callback_query_id", "inline_query_id", "pre_checkout_query_id", "shipping_query_id", "web_app_query_id", "guest_query_id", "widget_query_id"} {
		if id == "" {
			id = r.params[name]
		}
	}
	if until, ok := r.bot.queries[id]; !ok || time.Now().After(until) {
		return nil, badRequest("query is too old and response timeout expired or query ID is invalid")
	}
	text := r.params["text"]
	if text == "" {
		text = r.params["results"]
	}
	r.bot.queryAnswers[id] = text
	r.bot.answered.send()
	if r.method == "answerGuestQuery" {
		return map[string]string{"inline_message_id": "guest" + decimal(r.bot.newID())}, nil
	}
	return true, nil
}

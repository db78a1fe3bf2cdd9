package rules

import (
	"encoding/json"
	"strings"
)

// Check returns a *Refusal for a call that Telegram refuses for its parameters alone. param gives a parameter
// as a form has it: strings bare, all else as JSON, empty if absent.
func Check(method string, param func(name string) string) error {
	mode := param("parse_mode")
	if err := checkMarkup(param("reply_markup")); err != nil {
		return err
	}
	switch method {
	case "sendMessage":
		return checkText(param("text"), mode, "message is too long")
	case "editMessageText":
		if param("rich_message") != "" {
			return nil
		}
		return checkText(param("text"), mode, "MESSAGE_TOO_LONG")
	case "answerCallbackQuery":
		if Length(param("text")) > MaxNotice {
			return badRequest("MESSAGE_TOO_LONG")
		}
		return nil
	case "answerGuestQuery":
		return checkContent(param("result"))
	case "sendMediaGroup":
		return checkAlbum(param("media"))
	case "sendPoll":
		return checkPoll(param("question"), param("options"))
	case "sendInvoice":
		return checkInvoice(param)
	}
	return checkCaption(param("caption"), mode)
}

func checkText(text, mode, tooLong string) error {
	f, err := Parse(text, mode)
	switch {
	case err != nil:
		return err
	case IsBlank(f.Text):
		return badRequest("message text is empty")
	case Length(strings.TrimSpace(f.Text)) > MaxText:
		return badRequest("%s", tooLong)
	}
	return nil
}

func checkCaption(caption, mode string) error {
	f, err := Parse(caption, mode)
	if err == nil && Length(strings.TrimSpace(f.Text)) > MaxCaption {
		return badRequest("message caption is too long")
	}
	return err
}

func checkContent(result string) error {
	var r struct {
		Content *struct {
			Text *string `json:"message_text"`
			Mode string  `json:"parse_mode"`
		} `json:"input_message_content"`
	}
	if err := json.Unmarshal([]byte(result), &r); err != nil {
		return badRequest("can't parse inline query result: %v", err)
	}
	if r.Content == nil || r.Content.Text == nil {
		return nil // content other than text
	}
	return checkText(*r.Content.Text, r.Content.Mode, "MESSAGE_TOO_LONG")
}

func checkAlbum(media string) error {
	var items []struct {
		Caption string `json:"caption"`
		Mode    string `json:"parse_mode"`
	}
	if json.Unmarshal([]byte(media), &items) != nil {
		return badRequest("can't parse media JSON object")
	}
	if len(items) < MinAlbum || len(items) > MaxAlbum {
		return badRequest("an album has %d to %d media", MinAlbum, MaxAlbum)
	}
	for _, m := range items {
		if err := checkCaption(m.Caption, m.Mode); err != nil {
			return err
		}
	}
	return nil
}

func checkPoll(question, options string) error {
	var list []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal([]byte(options), &list) // older bots give strings
	if IsBlank(question) || Length(question) > MaxQuestion {
		return badRequest("poll question must have 1 to %d characters", MaxQuestion)
	}
	for _, o := range list {
		if Length(o.Text) > MaxOption {
			return badRequest("poll options length must not exceed %d", MaxOption)
		}
	}
	return nil
}

func checkInvoice(param func(string) string) error {
	switch title, about, payload := param("title"), param("description"), param("payload"); {
	case title == "" || Length(title) > MaxInvoiceTitle:
		return badRequest("invoice title must have 1 to %d characters", MaxInvoiceTitle)
	case about == "" || Length(about) > MaxInvoiceDescription:
		return badRequest("invoice description must have 1 to %d characters", MaxInvoiceDescription)
	case payload == "" || len(payload) > MaxInvoicePayload:
		return badRequest("INVOICE_PAYLOAD_INVALID")
	}
	return nil
}

type button struct {
	Text string  `json:"text"`
	Data *string `json:"callback_data"`
}

func (b *button) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &b.Text) == nil {
		return nil
	}
	type plain button
	return json.Unmarshal(raw, (*plain)(b))
}

func checkMarkup(markup string) error {
	if markup == "" || markup == "null" {
		return nil
	}
	var k struct {
		Inline      [][]map[string]json.RawMessage `json:"inline_keyboard"`
		Keys        [][]button                     `json:"keyboard"`
		Placeholder string                         `json:"input_field_placeholder"`
	}
	if json.Unmarshal([]byte(markup), &k) != nil {
		return badRequest("can't parse reply keyboard markup JSON object")
	}
	if Length(k.Placeholder) > MaxPlaceholder {
		return badRequest("input_field_placeholder is too long")
	}
	for _, row := range k.Keys {
		for _, b := range row {
			if IsBlank(b.Text) {
				return badRequest("keyboard button text must not be empty")
			}
		}
	}
	for _, row := range k.Inline {
		for _, b := range row {
			if err := checkButton(b); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkButton(fields map[string]json.RawMessage) error {
	var text, data string
	_ = json.Unmarshal(fields["text"], &text)
	_ = json.Unmarshal(fields["callback_data"], &data)
	if IsBlank(text) {
		return badRequest("inline keyboard button text must not be empty")
	}
	does := 0
	for name := range fields {
		switch name {
		case "text", "icon_custom_emoji_id", "style":
		default:
			does++
		}
	}
	switch _, isData := fields["callback_data"]; {
	case does == 0:
		return badRequest("Text buttons are unallowed in the inline keyboard")
	case isData && (data == "" || len(data) > MaxCallbackData):
		return badRequest("BUTTON_DATA_INVALID")
	}
	return nil
}

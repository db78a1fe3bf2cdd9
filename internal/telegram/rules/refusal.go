package rules

import "fmt"

// Refusal is Telegram's answer to a call that breaks a rule.
type Refusal struct {
	Code        int
	Description string
}

func (r *Refusal) Error() string { return r.Description }

func badRequest(format string, args ...any) *Refusal {
	return &Refusal{400, "Bad Request: " + fmt.Sprintf(format, args...)}
}

// NotModified refuses an edit that changes nothing.
func NotModified() error {
	return badRequest("message is not modified: specified new message content and reply markup are exactly the same " +
		"as a current content and reply markup of the message")
}

// NoTextToEdit refuses editMessageText of a message with another content.
func NoTextToEdit() error { return badRequest("there is no text in the message to edit") }

// NoCaptionToEdit refuses editMessageCaption of a message that takes none.
func NoCaptionToEdit() error { return badRequest("there is no caption in the message to edit") }

// Blocked refuses calls into a chat that has blocked the bot (private) or removed it.
func Blocked(chatType string) error {
	if chatType == "private" {
		return &Refusal{403, "Forbidden: bot was blocked by the user"}
	}
	return &Refusal{403, "Forbidden: bot was kicked from the " + chatType + " chat"}
}

// TakesCaption reports whether the method's message has a caption.
func TakesCaption(method string) bool {
	switch method {
	case "sendPhoto", "sendLivePhoto", "sendVideo", "sendAnimation", "sendAudio", "sendDocument", "sendVoice", "sendPaidMedia",
		"sendMediaGroup", "copyMessage":
		return true
	}
	return false
}

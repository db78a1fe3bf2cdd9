package bot

import (
	"errors"
	"net/http"
	"strings"
	"time"

	ta "github.com/mymmrac/telego/telegoapi"
)

// IsBlocked reports that the Bot API refused a call because the bot was blocked or removed, or the user's
// account is deleted. errors.As finds the refusal in err as a *telegoapi.Error. A gateway's refusal does not
// count, here and below.
func IsBlocked(err error) bool {
	var refused *ta.Error
	return errors.As(err, &refused) && refused.ErrorCode == http.StatusForbidden
}

// IsNotModified reports that the Bot API refused an edit because it changes nothing.
func IsNotModified(err error) bool { return isBadRequest(err, "message is not modified") }

// IsQueryTooOld reports that a query can no longer be answered: its time is over, or it was answered.
func IsQueryTooOld(err error) bool { return isBadRequest(err, "query is too old", "query_id_invalid") }

// IsTooLong reports that the Bot API refused a text or caption for its length.
func IsTooLong(err error) bool {
	return isBadRequest(err, "message is too long", "caption is too long", "message_too_long", "caption_too_long")
}

// IsChatNotFound reports that the Bot API knows no such chat, or the bot has never met it.
func IsChatNotFound(err error) bool { return isBadRequest(err, "chat not found") }

// IsMessageGone reports that the message which a call names no longer exists.
func IsMessageGone(err error) bool {
	return isBadRequest(err, "message to edit not found", "message to delete not found", "message to copy not found",
		"message to forward not found", "message to be replied not found", "message to pin not found", "message_id_invalid")
}

// IsTopicClosed reports that the message's forum topic is closed.
func IsTopicClosed(err error) bool { return isBadRequest(err, "topic_closed", "topic closed") }

// RetryAfter is how long Telegram asks to wait before the call is made again, 0 if err is
// no such answer. Handlers and error handlers see waits of minutes, and waits for what
// sends nothing into their chat. If the error is returned, a call into the chat is made
// again when its time has come. Any other is made again up to the last attempt, and not at
// all after a wait of minutes.
func RetryAfter(err error) time.Duration {
	var refused *ta.Error
	if !errors.As(err, &refused) || refused.Parameters == nil {
		return 0
	}
	return time.Duration(refused.Parameters.RetryAfter) * time.Second
}

func isBadRequest(err error, phrases ...string) bool {
	var refused *ta.Error
	if !errors.As(err, &refused) || refused.ErrorCode != http.StatusBadRequest {
		return false
	}
	description := strings.ToLower(refused.Description)
	for _, phrase := range phrases {
		if strings.Contains(description, phrase) {
			return true
		}
	}
	return false
}

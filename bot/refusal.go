package bot

import (
	"errors"
	"net/http"
	"strings"

	ta "github.com/mymmrac/telego/telegoapi"
)

// IsBlocked tells that the Bot API refused a call because the bot was blocked or
// removed, or the user is gone. All that it says is in the *telegoapi.Error which
// errors.As finds in err.
func IsBlocked(err error) bool {
	var refused *ta.Error
	return errors.As(err, &refused) && refused.ErrorCode == http.StatusForbidden
}

// IsNotModified tells that an edit would have changed nothing.
func IsNotModified(err error) bool {
	var refused *ta.Error
	return errors.As(err, &refused) && refused.ErrorCode == http.StatusBadRequest &&
		strings.Contains(refused.Description, "message is not modified")
}

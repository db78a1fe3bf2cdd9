package webapp_test

import (
	"net/http"
	"time"

	"github.com/chatlane/chatlane/bot/webapp"
)

// A backend's handler that knows its user.
func ExampleCheck() {
	token := "42:AAA" // the bot's
	http.HandleFunc("/cart", func(w http.ResponseWriter, r *http.Request) {
		started, err := webapp.Check(token, r.Header.Get("X-Init-Data"), time.Hour)
		if err != nil || started.User == nil {
			http.Error(w, "open this from Telegram", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("Hello, " + started.User.FirstName))
	})
}

package handlers

import "github.com/chatlane/chatlane/bot"

const helpText = `/start - tell me your name and age
/order - order something
/feedback - rate us
/tally - count your texts until /stop
/cancel - leave whatever you are in
/help - this message`

func help(r *bot.Router) {
	r.Message(say(helpText), bot.Command("help"))
}

package throttle_test

import (
	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bot/throttle"
)

func Example() {
	r := bot.New("shop")
	perUser := throttle.New(throttle.Config{Limit: 20})
	r.Before(perUser.Gate) // or: r.Outer(perUser.Middleware(bot.Say("Slow down, please.")))
}

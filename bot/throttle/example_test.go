package throttle_test

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bot/throttle"
)

func ExampleThrottle_Gate() {
	perUser := throttle.New(throttle.Config{Limit: 2})
	r := bot.New("shop")
	r.Before(perUser.Gate)
	program, _ := r.Compile() // which a worker does
	for update := range int64(3) {
		fmt.Println(program.Admit(context.Background(), bot.Envelope{Update: update + 1, User: 7}))
	}
	// Output:
	// <nil>
	// <nil>
	// over the limit of 2 per 1m0s: update dropped before its turn
}

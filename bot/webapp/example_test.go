package webapp_test

import (
	"fmt"

	"github.com/chatlane/chatlane/bot/webapp"
)

func ExampleCheck() {
	// What the web app sends as Telegram.WebApp.initData.
	const initData = "auth_date=1650385342&user=%7B%22id%22%3A42%2C%22first_name%22%3A%22Test%22%7D&query_id=test" +
		"&hash=46d2ea5e32911ec8d30999b56247654460c0d20949b6277af519e76271182803"
	started, err := webapp.Check("42:TEST", initData, 0) // at work, an hour or so
	fmt.Println(started.User.ID, err)
	_, err = webapp.Check("42:OTHER", initData, 0)
	fmt.Println(err)
	// Output:
	// 42 <nil>
	// init data is not valid
}

package forward_test

import (
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/forward"
)

func TestAddressesAreCheckedAndNotShown(t *testing.T) {
	for address, right := range map[string]bool{
		"http://bot:3000/webhook": true, "https://bot.example/hook/{bot_id}?a=1": true, "http://{bot_id}.bots": true, "http://[::1]:80": true,
		"": false, "bot:3000": false, "ftp://bot/secretpath": false, "http:///secretpath": false, "http://:80/secretpath": false,
		"http://bot/{secretpath}": false, "http://bot/secretpath#x": false, "http://u:secretpath@bot/": false, "http://bot/%zzsecretpath": false,
		"http://bot/secretpath\n": false,
	} {
		err := forward.Target{URL: address}.Validate()
		if (err == nil) != right {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "secretpath") {
			t.Errorf("%q is shown: %v", address, err)
		}
	}
	if got := (forward.Target{URL: "http://x/{bot_id}"}).For(42).URL; got != "http://x/42" {
		t.Errorf("got %s", got)
	}
}

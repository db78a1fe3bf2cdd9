package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/forward"
)

const (
	one config.Secret = "111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	two config.Secret = "222:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB-_"
)

func TestUpdatesGoToTheBotsOwnAddressElseToTheCommonOne(t *testing.T) {
	c := Worker{Forward: Forward{URL: "http://bots/{bot_id}"}, Bots: config.Bots{All: []config.Bot{
		{Token: one, Secrets: []config.Secret{"new", "old"}},
		{Token: two, Forward: "http://second/hook"},
	}}}
	want := map[int64]forward.Target{
		111: {URL: "http://bots/111", Secret: "new"}, 222: {URL: "http://second/hook"},
	}
	got, err := c.targets()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	c.Forward.Secret = "of-the-bot"
	if got, err := c.targets(); err != nil || got[111].Secret != "of-the-bot" || got[222].Secret != "of-the-bot" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (Worker{Bots: config.Bots{All: []config.Bot{{Token: one}}}}).targets(); len(got) != 0 || err != nil {
		t.Errorf("without forwarding: %+v, %v", got, err)
	}
}

func TestWrongAddressesStopTheStart(t *testing.T) {
	bots := func(forward ...config.Secret) config.Bots {
		return config.Bots{All: []config.Bot{{Token: one, Forward: forward[0]}, {Token: two, Forward: forward[1]}}}
	}
	for _, tt := range []struct {
		name string
		cfg  Worker
		want string
	}{
		{
			"no address",
			Worker{Forward: Forward{URL: "bot:3000"}, Bots: config.Bots{All: bots("", "").All[:1]}},
			"CHATLANE_FORWARD_URL: the value is no address; set one like http://bot:3000/webhook",
		},
		{
			"one address for two",
			Worker{Forward: Forward{URL: "http://bot"}, Bots: bots("", "")},
			"CHATLANE_FORWARD_URL: bots 111 and 222 have one address; put {bot_id} into it, or set forward_url for each",
		},
		{
			"only some",
			Worker{Bots: bots("http://bot", "")},
			"CHATLANE_BOTS_FILE: bot 222 has no forward_url, and others have; set it, or CHATLANE_FORWARD_URL",
		},
		{
			"wrong in the file",
			Worker{Forward: Forward{URL: "http://bot"}, Bots: bots("", "secretplace")},
			"CHATLANE_BOTS_FILE: forward_url of bot 222: the value is no address; set one like http://bot:3000/webhook",
		},
		{
			"wrong secret",
			Worker{Forward: Forward{URL: "http://bot", Secret: "with space"}, Bots: bots("", "http://b")},
			"CHATLANE_FORWARD_SECRET: the value is no webhook secret; set 1 to 256 letters, digits, _ or -",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") != 0 {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

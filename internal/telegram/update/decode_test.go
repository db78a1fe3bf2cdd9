package update_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/telegram/update"
)

func TestEverySituationIsDecodedWhole(t *testing.T) {
	for _, s := range situations(t) {
		u, dropped, err := update.Decode(s.Update)
		if err != nil || len(dropped) != 0 {
			t.Errorf("%s: dropped %v, %v", s.Name, dropped, err)
			continue
		}
		if strings.HasPrefix(s.Name, "unknown") || strings.HasPrefix(s.Name, "name") || strings.Contains(s.Want.Type, "widget") {
			continue
		}
		raw, err := json.Marshal(u)
		if err != nil || !strings.Contains(string(raw), `"`+s.Want.Type+`":{`) {
			t.Errorf("%s: decoded to %s, %v", s.Name, raw, err)
		}
	}
}

// Whatever Peek routes of other suites' updates, Decode decodes.
func TestUpdatesOfOtherSuitesAreDecoded(t *testing.T) {
	for i, line := range lines(t, "testdata/updates.jsonl") {
		var l struct{ Update json.RawMessage }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		_, unreadable := update.Peek(botID, l.Update)
		u, dropped, err := update.Decode(l.Update)
		if unreadable == nil && (err != nil || u == nil || len(dropped) != 0) {
			t.Errorf("line %d: dropped %v, %v", i+1, dropped, err)
		}
	}
}

const (
	someone  = `{"id":7,"is_bot":false,"first_name":"Ann"}`
	inChat   = `"message_id":1,"date":1,"chat":{"id":5,"type":"private"},"from":` + someone
	newer    = `{"type":"hologram","date":1,"sender_user":` + someone + `}`
	aMessage = `"message":{` + inChat
)

func TestPartsNewerThanTheDecoderAreDropped(t *testing.T) {
	for _, tt := range []struct {
		name, members string
		dropped       []string
		still         string // must be in what was decoded
	}{
		{"origin", aMessage + `,"text":"keep","forward_origin":` + newer + `}`, []string{"message.forward_origin"}, `"text":"keep"`},
		{
			"origin of the replied", aMessage + `,"text":"keep","reply_to_message":{` + inChat + `,"text":"kept too","forward_origin":` + newer + `}}`,
			[]string{"message.reply_to_message.forward_origin"},
			`"text":"kept too"`,
		},
		{"origin of an external reply", aMessage + `,"external_reply":{"origin":` + newer + `,"message_id":9},"text":"keep"}`, []string{"message.external_reply"}, `"text":"keep"`},
		{
			"two at once", aMessage + `,"text":"keep","forward_origin":` + newer + `,"paid_media":{"star_count":3,"paid_media":[` + newer + `,{"type":"preview","width":9}]}}`,
			[]string{"message.forward_origin", "message.paid_media.paid_media[0]"},
			`"width":9`,
		},
		{"background", aMessage + `,"chat_background_set":{"type":` + newer + `}}`, []string{"message.chat_background_set"}, `"id":5`},
		{"pinned message", aMessage + `,"pinned_message":{` + inChat + `,"text":"keep","forward_origin":` + newer + `}}`, []string{"message.pinned_message.forward_origin"}, `"text":"keep"`},
		{"block of a rich message", aMessage + `,"rich_message":{"blocks":[{"type":"paragraph","text":"keep"},` + newer + `]}}`, []string{"message.rich_message.blocks[1]"}, `"keep"`},
		{"reaction", `"message_reaction":{"chat":{"id":5,"type":"group"},"message_id":1,"date":1,"user":` + someone +
			`,"old_reaction":[],"new_reaction":[{"type":"emoji","emoji":"x"},` + newer + `]}`, []string{"message_reaction.new_reaction[1]"}, `"emoji":"x"`},
		{
			"reaction count", `"message_reaction_count":{"chat":{"id":5,"type":"group"},"message_id":1,"date":1,"reactions":[{"type":` + newer + `,"total_count":1}]}`,
			[]string{"message_reaction_count.reactions[0]"},
			`"reactions":[]`,
		},
		{
			"message with the button", `"callback_query":{"id":"1","from":` + someone + `,"chat_instance":"1","data":"keep","message":{` + inChat + `,"forward_origin":` + newer + `}}`,
			[]string{"callback_query.message.forward_origin"},
			`"data":"keep"`,
		},
		{
			"another kind of value", aMessage + `,"text":"keep","dice":"many","effect_id":5,"entities":[{"type":"bold","offset":0,"length":1},{"type":"bold","offset":"x","length":1}]}`,
			[]string{"message.dice", "message.effect_id", "message.entities[1].offset"},
			`"text":"keep"`,
		},
		{"nothing at all", aMessage + `,"text":"keep","hologram":` + newer + `}`, nil, `"text":"keep"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, dropped, err := update.Decode([]byte(`{"update_id":9,` + tt.members + `}`))
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(dropped)
			if !slices.Equal(dropped, tt.dropped) {
				t.Errorf("dropped %v, want %v", dropped, tt.dropped)
			}
			raw, err := json.Marshal(u)
			if err != nil || u.UpdateID != 9 || !strings.Contains(string(raw), tt.still) {
				t.Errorf("decoded to %s, %v; want %s in it", raw, err, tt.still)
			}
		})
	}
}

func TestUpdatesWithoutTheirEssentialsAreNotDecoded(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"chat", `{"update_id":9,"message":{"message_id":1,"date":1,"chat":{"id":"hidden text"},"text":"hidden text"}}`},
		{"update id", `{"update_id":"hidden text",` + aMessage + `}}`},
		{"payload", `{"update_id":9,"message":"hidden text"}`},
		{"status of a member", `{"update_id":9,"chat_member":{"chat":{"id":5,"type":"group"},"from":` + someone +
			`,"date":1,"old_chat_member":{"status":"member","user":` + someone + `},"new_chat_member":{"status":"hidden text","user":` + someone + `}}}`},
		{"source of a boost", `{"update_id":9,"chat_boost":{"chat":{"id":5,"type":"channel"},"boost":{"boost_id":"b","add_date":1,"expiration_date":2,"source":{"source":"hidden text"}}}}`},
		{"source of a removed boost", `{"update_id":9,"removed_chat_boost":{"chat":{"id":5,"type":"channel"},"boost_id":"b","remove_date":1,"source":{"source":"hidden text"}}}`},
		{"no JSON", `{"update_id":9,"message":{hidden text`},
	} {
		u, dropped, err := update.Decode([]byte(tt.body))
		if !errors.Is(err, update.ErrUndecodable) || u != nil || dropped != nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, %v, %v", tt.name, u, dropped, err)
		}
	}
}

// A document as deep as Peek allows, with a fault at its bottom, takes no minutes.
func TestMendingIsBounded(t *testing.T) {
	rich := `"x"`
	for range 50 {
		rich = `{"type":"bold","text":` + rich + `}`
	}
	for _, body := range []string{
		`{"update_id":9,` + aMessage + `,"text":"keep","rich_message":{"blocks":[{"type":"paragraph","text":` + strings.Replace(rich, `"x"`, newer, 1) + `}]}}}`,
		`{"update_id":9,` + aMessage + `,"text":"keep","entities":[` + strings.Repeat(`{"type":"bold","offset":"x","length":1},`, 400) + `{}]}}`,
	} {
		began := time.Now()
		u, dropped, err := update.Decode([]byte(body))
		if err != nil || u.Message.Text != "keep" || len(dropped) != 1 {
			t.Errorf("dropped %v, %v", dropped, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("took %v", took)
		} else {
			t.Log(took, dropped)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, s := range situations(b) {
		if s.Name != "text in private" && s.Name != "button in forum topic" {
			continue
		}
		b.Run(strings.ReplaceAll(s.Name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := update.Decode(s.Update); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Whatever Peek lets through, the decoder neither panics nor hangs.
func FuzzDecode(f *testing.F) {
	for _, s := range situations(f) {
		f.Add([]byte(s.Update))
	}
	f.Add([]byte(`{"update_id":9,` + aMessage + `,"forward_origin":` + newer + `}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := update.Peek(botID, body); err != nil {
			return
		}
		u, _, err := update.Decode(body)
		if (err == nil) != (u != nil) || err != nil && !errors.Is(err, update.ErrUndecodable) {
			t.Fatalf("decoded to %v, %v", u, err)
		}
	})
}

package update_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatlane/chatlane/internal/telegram/update"
)

func FuzzPeek(f *testing.F) {
	for _, s := range situations(f) {
		f.Add([]byte(s.Update))
	}
	for _, line := range lines(f, "testdata/updates.jsonl") {
		var l struct{ Update json.RawMessage }
		if err := json.Unmarshal(line, &l); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(l.Update))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		compare(t, body)
	})
}

// compare holds Peek to what the whole decode says.
func compare(t interface{ Fatalf(string, ...any) }, body []byte) {
	got, err := update.Peek(botID, body)
	want, ok := (&reference{}).peek(body)
	if (err == nil) != ok {
		t.Fatalf("Peek says %v, the whole decode %v, of %s", err, ok, body)
	}
	if got.Type == update.UnknownType {
		want.Type = update.UnknownType
	}
	if err == nil && got != want {
		t.Fatalf("Peek  %+v\nwhole %+v\nof %s", got, want, body)
	}
}

// Documents of the right words in any arrangement, which a fuzzer of bytes seldom makes.
func TestPeekAgreesWithTheWholeDecode(t *testing.T) {
	words := []string{
		"id", "chat", "from", "user", "sender_chat", "actor_chat", "voter_chat", "message", "source", "boost", "topic_id",
		"direct_messages_topic", "message_thread_id", "is_topic_message", "business_connection_id", "guest_query_id", "media_group_id", "x",
	}
	scalars := []string{"null", "true", "false", "0", "-0", "1", "-2", "3.0", "\"a\"", "\"\\u0041\"", "[]", "[{\"chat\":{\"id\":9}}]", "{}"}
	rapid.Check(t, func(rt *rapid.T) {
		n := int64(0)
		var object func(level int) string
		value := func(level int) string {
			if level < 5 && rapid.Bool().Draw(rt, "deeper") {
				return object(level + 1)
			}
			if rapid.IntRange(0, 2).Draw(rt, "number") > 0 {
				n++
				return strconv.FormatInt(n*(1-2*(n%2)), 10)
			}
			return rapid.SampledFrom(scalars).Draw(rt, "scalar")
		}
		object = func(level int) string {
			names := rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, 5, rapid.ID).Draw(rt, "names")
			members := make([]string, 0, len(names))
			for _, name := range names {
				members = append(members, strconv.Quote(name)+":"+value(level))
			}
			return "{" + strings.Join(members, ",") + "}"
		}
		typ := rapid.SampledFrom(append(update.Types(), "moment", "Odd Name")).Draw(rt, "type")
		body := `{"update_id":7,` + strconv.Quote(typ) + ":" + object(1)
		if rapid.IntRange(0, 9).Draw(rt, "more") == 0 {
			body += `,"also":` + value(4)
		}
		compare(rt, []byte(body+"}"))
	})
}

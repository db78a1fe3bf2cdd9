package fault

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/simulator"
)

// page is Redis's record of one chat at one moment.
type page struct {
	counted int            // texts that the conversation's data has counted; -1 before the conversation
	made    map[int64]bool // ids of the messages that the journal records as sent
	updates int            // committed
}

// readScript reads all records in one step, so that no commit falls between two of them.
const readScript = `
local out = {}
for _, key in ipairs(redis.call('KEYS', 'chatlane:*')) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'hash' then
    table.insert(out, {key, redis.call('HGETALL', key)})
  elseif kind == 'zset' then
    table.insert(out, {key, {'updates', tostring(redis.call('ZCARD', key))}})
  end
end
return out`

// book reads Redis's records of all chats.
func (l *load) book() map[int64]*page {
	l.t.Helper()
	opt, err := redis.ParseURL(l.r.Redis.URL)
	if err != nil {
		l.t.Fatal(err)
	}
	c := redis.NewClient(opt)
	defer func() { _ = c.Close() }()
	records, err := c.Eval(l.t.Context(), readScript, nil).Slice()
	if err != nil {
		l.t.Fatalf("read what Redis holds: %v", err)
	}
	pages := make(map[int64]*page, l.chats)
	for i := range l.chats {
		pages[first+int64(i)] = &page{counted: -1, made: make(map[int64]bool)}
	}
	for _, r := range records {
		record := r.([]any)
		key := record[0].(string)
		home, kind, ok := strings.Cut(strings.TrimPrefix(key, "chatlane:{"), "}:")
		chat, err := strconv.ParseInt(home[strings.LastIndex(home, ":")+1:], 10, 64)
		if p := pages[chat]; ok && err == nil && p != nil {
			l.t.Helper()
			p.add(kind, record[1].([]any))
		}
	}
	return pages
}

// add reads one record: the state, the journal, or the ids of recent updates.
func (p *page) add(kind string, flat []any) {
	fields := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		fields[flat[i].(string)] = flat[i+1].(string)
	}
	switch {
	case strings.HasPrefix(kind, "state:") && fields["state"] != "":
		var data struct {
			Texts int `json:"texts"`
		}
		if json.Unmarshal([]byte(fields["data"]), &data) == nil {
			p.counted = data.Texts
		}
	case strings.HasSuffix(kind, ":seen"):
		p.updates, _ = strconv.Atoi(fields["updates"])
	case strings.HasSuffix(kind, ":journal"):
		for _, entry := range fields {
			var sent struct {
				ID int64 `json:"message_id"`
			}
			if i := strings.IndexByte(entry, '{'); i >= 0 && json.Unmarshal([]byte(entry[i:]), &sent) == nil && sent.ID != 0 {
				p.made[sent.ID] = true
			}
		}
	}
}

// noted returns whether a call is recorded: its turn is committed, or the journal has it.
func noted(book map[int64]*page) func(simulator.Call) bool {
	return func(c simulator.Call) bool {
		p := book[c.Chat]
		if p == nil {
			return true
		}
		number, _, _ := strings.Cut(c.Text, ". ")
		k, err := strconv.Atoi(number)
		if err != nil {
			k = 0 // the reply to /tally itself
		}
		return p.counted >= k || p.made[c.MessageID]
	}
}

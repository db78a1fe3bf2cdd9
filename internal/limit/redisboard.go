package limit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisBoard is a stream in Redis, whose entries have Redis' time as their ids.
type redisBoard struct {
	redis   redis.UniversalClient
	key     string
	timeout time.Duration
	last    string // id of the entry read last
	poster  *redis.Script
	reader  *redis.Script
}

// page is how many events are read at once, and maxEvents how many are kept, some more.
const (
	page      = 500
	maxEvents = 10000
)

// postScript adds an event. KEYS: stream. ARGV: event, ms that it matters, most events.
const postScript = `
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`

// readScript reads a page of events after an id. It returns Redis' time in ms, and id and event in turn.
const readScript = `
local now = redis.call('TIME')
local out = {string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000))}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  out[#out + 1] = entry[1]
  out[#out + 1] = entry[2][2]
end
return out
`

func newRedisBoard(client redis.UniversalClient, cfg Config) *redisBoard {
	return &redisBoard{
		redis: client, key: cfg.Prefix + ":{limit}:blocks", timeout: cfg.Timeout, last: "-",
		poster: redis.NewScript(postScript), reader: redis.NewScript(readScript),
	}
}

func (b *redisBoard) post(ctx context.Context, e event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.poster.Run(ctx, b.redis, []string{b.key}, raw, e.For+int64(time.Minute/time.Millisecond), maxEvents).Err()
}

func (b *redisBoard) read(ctx context.Context) (all []event, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	from := b.last
	if from != "-" {
		from = "(" + from
	}
	got, err := b.reader.Run(ctx, b.redis, []string{b.key}, from, page).StringSlice()
	if err != nil {
		return nil, false, fmt.Errorf("ask for blocks of sending: %w", err)
	}
	if len(got) == 0 {
		return nil, false, nil
	}
	read := time.Now()
	now, _ := strconv.ParseInt(got[0], 10, 64)
	for rest := got[1:]; len(rest) > 1; rest = rest[2:] {
		b.last = rest[0]
		var e event
		if json.Unmarshal([]byte(rest[1]), &e) != nil {
			continue // of another version
		}
		ms, _, _ := strings.Cut(rest[0], "-")
		at, _ := strconv.ParseInt(ms, 10, 64)
		e.at = read.Add(time.Duration(at-now) * time.Millisecond)
		all = append(all, e)
	}
	return all, len(all) == page, nil
}

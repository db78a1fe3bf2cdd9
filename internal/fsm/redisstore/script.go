package redisstore

import "github.com/redis/go-redis/v9"

const (
	replyOK     = "ok"
	replyLock   = "lock"
	replyCursor = "cursor"
	replyStream = "stream"
)

// scripts are the atomic steps. Numbers stay strings: stream times and update ids exceed the
// precision of Lua's floats.
type scripts struct{ commit, mark, finish, record, edit, move, remove *redis.Script }

func newScripts() scripts {
	return scripts{
		commit: redis.NewScript(commitLua),
		mark:   redis.NewScript(markLua),
		finish: redis.NewScript(finishLua),
		record: redis.NewScript(recordLua),
		edit:   redis.NewScript(editLua),
		move:   redis.NewScript(moveLua),
		remove: redis.NewScript(removeLua),
	}
}

// writeLua defines write, which stores a conversation. op: "keep" only extends its TTL, "drop" ends it.
const writeLua = `
local function write(key, op, ttl, state, data, meta)
  if op == 'drop' then
    redis.call('HDEL', key, 'state', 'data', 'meta')
    if redis.call('HLEN', key) <= 1 then redis.call('DEL', key) end
    return
  end
  if op == 'write' then
    redis.call('HSET', key, 'v', '1', 'state', state, 'data', data, 'meta', meta)
    if ttl == '0' then redis.call('PERSIST', key) end
  end
  if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
end
`

// commitLua is a commit in one step. A second run, after a lost answer, recognises the first by
// its token; it still writes, so that a WAIT after it covers the first as well. A journal of
// another position stays: updates that are done may come again before the interrupted turn.
//
// KEYS: lane lock, lane, journal, seen [, state [, state lock]]. ARGV: token, stream and cursor as
// loaded, stream and cursor to write, lane TTL, update id, its time, oldest time to keep, ids to
// keep, TTL of the ids, position, further update ids, [op, state TTL, state, data, meta].
const commitLua = writeLua + `
local lane = redis.call('HMGET', KEYS[2], 'stream', 'cursor', 'by')
if lane[3] == ARGV[1] and lane[1] == ARGV[4] and lane[2] == ARGV[5] then
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  return 'ok'
end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lock' end
if KEYS[6] and redis.call('GET', KEYS[6]) ~= ARGV[1] then return 'lock' end
if (lane[1] or '0') ~= ARGV[2] then return 'stream' end
if (lane[2] or '0') ~= ARGV[3] then return 'cursor' end
redis.call('HSET', KEYS[2], 'v', '1', 'stream', ARGV[4], 'cursor', ARGV[5], 'by', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
if redis.call('HGET', KEYS[3], 'at') == ARGV[12] then redis.call('DEL', KEYS[3]) end
if ARGV[7] ~= '0' then
  redis.call('ZADD', KEYS[4], ARGV[8], ARGV[7])
  for id in string.gmatch(ARGV[13], '%S+') do redis.call('ZADD', KEYS[4], ARGV[8], id) end
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. ARGV[9])
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - ARGV[10])
  redis.call('PEXPIRE', KEYS[4], ARGV[11])
end
if KEYS[5] then write(KEYS[5], ARGV[14], ARGV[15], ARGV[16], ARGV[17], ARGV[18]) end
redis.call('DEL', KEYS[1])
if KEYS[6] then redis.call('DEL', KEYS[6]) end
return 'ok'
`

// markLua is the first of two steps: the state, with the turn's mark. An ended state keeps its marks for the
// lane TTL. KEYS: state, state lock. ARGV: token, mark's name, mark, lane TTL, op, state TTL, state, data, meta.
const markLua = writeLua + `
if redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] then return 'ok' end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
redis.call('HSET', KEYS[1], 'v', '1', ARGV[2], ARGV[3])
write(KEYS[1], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
if ARGV[5] == 'drop' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 'ok'
`

// finishLua removes the mark once the cursor has moved. KEYS: state, state lock. ARGV: token,
// mark's name, mark, state TTL.
const finishLua = `
if redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] then
  redis.call('HDEL', KEYS[1], ARGV[2])
  if redis.call('HLEN', KEYS[1]) <= 1 then redis.call('DEL', KEYS[1]) end
end
if ARGV[4] ~= '0' and redis.call('HEXISTS', KEYS[1], 'state') == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 'ok'
`

// recordLua writes a field of the journal. KEYS: lane lock, journal. ARGV: token, position, field, value, lane TTL.
const recordLua = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lock' end
if redis.call('HGET', KEYS[2], 'at') ~= ARGV[2] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'v', '1', 'at', ARGV[2])
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 'ok'
`

// editLua changes a state but no mark. KEYS: state, lock. ARGV: token, op, state TTL, state, data, meta.
const editLua = writeLua + `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
write(KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 'ok'
`

// moveLua refuses a key that has a state. KEYS: state, lock. ARGV: token, state TTL, state, data, meta.
const moveLua = writeLua + `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
local there = redis.call('HMGET', KEYS[1], 'state', 'data', 'meta')
if there[1] or there[2] then
  if there[1] == ARGV[3] and there[2] == ARGV[4] and there[3] == ARGV[5] then return 'ok' end
  return 'cursor'
end
write(KEYS[1], 'write', ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 'ok'
`

// removeLua removes records. KEYS: lock, records. ARGV: token.
const removeLua = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lock' end
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
return 'ok'
`

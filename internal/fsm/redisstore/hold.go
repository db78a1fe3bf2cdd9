package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm"
)

type hold struct {
	s     *Store
	keys  fsm.Keys
	names names
	at    fsm.Position
	token string
	locks []*redislock.Lock // the lane's, then a separate state's
	since time.Time         // before the oldest lock was taken or renewed

	stream string // as loaded
	cursor string
}

var _ fsm.Hold = (*hold)(nil)

// obtain locks the lane, then a separate state. It renews the first lock while it waits for the second.
func (h *hold) obtain(ctx context.Context) error {
	before := time.Now()
	lane, err := h.s.lock(ctx, h.names.lock, h.token, func(context.Context) error {
		before = time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	h.locks, h.since = []*redislock.Lock{lane}, before
	if !h.keys.Separate() {
		return nil
	}
	state, err := h.s.lock(ctx, h.names.stateLock, h.token, h.renewInTime)
	if err != nil {
		return fsm.Undo(ctx, h, err)
	}
	h.locks = append(h.locks, state)
	return nil
}

func (h *hold) renewInTime(ctx context.Context) error {
	now := time.Now()
	if now.Sub(h.since) < h.s.cfg.LockTTL/3 {
		return nil
	}
	if err := h.Renew(ctx); err != nil {
		return err
	}
	h.since = now
	return nil
}

// load reads everything in one round trip, under the locks.
func (h *hold) load(ctx context.Context) (fsm.Loaded, error) {
	pipe := h.s.client.Pipeline()
	lane := pipe.HMGet(ctx, h.names.lane, "v", "stream", "cursor")
	journal := pipe.HGetAll(ctx, h.names.journal)
	seen := pipe.ZScore(ctx, h.names.seen, itoa(h.at.Update))
	state := &redis.MapStringStringCmd{}
	if h.keys.State != "" {
		state = pipe.HGetAll(ctx, h.names.state)
	}
	_, _ = pipe.Exec(ctx) // checked below: an unknown update id must not hide another command's failure
	for _, cmd := range []redis.Cmder{lane, journal, seen, state} {
		if err := failure(cmd); err != nil {
			return fsm.Loaded{}, unavailable("load", err)
		}
	}
	out, err := loadLane(lane.Val())
	if err != nil {
		return out, err
	}
	h.stream, h.cursor = itoa(out.Stream), utoa(out.Cursor)
	oldest := float64(h.at.Stored.Add(-h.s.cfg.SeenWindow).UnixMilli())
	out.Seen = h.at.Update != 0 && seen.Err() == nil && seen.Val() >= oldest
	if j := journal.Val(); j["at"] == h.at.ID() {
		out.Journal, out.Attempts = loadJournal(j)
	}
	err = h.loadState(state.Val(), &out)
	return out, err
}

// failure is the error of a command; a missing key is none.
func failure(cmd redis.Cmder) error {
	if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return nil
}

func loadLane(fields []any) (out fsm.Loaded, err error) {
	str := func(i int) string {
		s, _ := fields[i].(string)
		return s
	}
	if len(fields) != 3 || str(1) == "" {
		return out, nil
	}
	if err := readable(str(0)); err != nil {
		return out, err
	}
	if out.Stream, err = strconv.ParseInt(str(1), 10, 64); err == nil {
		out.Cursor, err = strconv.ParseUint(str(2), 10, 64)
	}
	if err != nil {
		return out, unavailable("read lane", fmt.Errorf("%w: %w", fsm.ErrUnreadable, err))
	}
	return out, nil
}

func loadJournal(fields map[string]string) (entries map[int][]byte, attempts int) {
	entries = make(map[int][]byte, len(fields))
	for field, v := range fields {
		if index, err := strconv.Atoi(field); err == nil {
			entries[index] = []byte(v)
		}
	}
	attempts, _ = strconv.Atoi(fields["attempts"])
	return entries, attempts
}

func (h *hold) loadState(fields map[string]string, out *fsm.Loaded) error {
	if len(fields) == 0 {
		return nil
	}
	if err := readable(fields["v"]); err != nil {
		return err
	}
	out.State, out.Data, out.Meta = fields["state"], []byte(fields["data"]), []byte(fields["meta"])
	if h.twoSteps() {
		out.Wrote, out.Also = fsm.ReadMark(fields[h.mark()], h.at)
	}
	return nil
}

// readable refuses a record of a newer version.
func readable(version string) error {
	if v, err := strconv.Atoi(version); err != nil || v > fsm.Schema {
		return fmt.Errorf("%w: %w: schema version %q, this worker knows %d", fsm.ErrUnavailable, fsm.ErrUnreadable, version, fsm.Schema)
	}
	return nil
}

func (h *hold) Record(ctx context.Context, index int, entry []byte) error {
	return h.record(ctx, strconv.Itoa(index), entry)
}

func (h *hold) Fail(ctx context.Context, attempts int) error {
	return h.record(ctx, "attempts", []byte(strconv.Itoa(attempts)))
}

func (h *hold) record(ctx context.Context, field string, value []byte) error {
	return h.run(ctx, h.s.scripts.record, []string{h.names.lock, h.names.journal},
		h.token, h.at.ID(), field, value, millis(h.s.cfg.LaneTTL))
}

func (h *hold) Renew(ctx context.Context) error {
	for _, l := range h.locks {
		switch err := l.Refresh(ctx, h.s.cfg.LockTTL, nil); {
		case errors.Is(err, redislock.ErrNotObtained):
			return fsm.ErrLockLost
		case err != nil:
			return unavailable("renew", err)
		}
	}
	return nil
}

// Release releases the locks in the reverse order.
func (h *hold) Release(ctx context.Context) error {
	var all error
	for _, l := range slices.Backward(h.locks) {
		if err := l.Release(ctx); err != nil && !errors.Is(err, redislock.ErrLockNotHeld) {
			all = errors.Join(all, unavailable("unlock", err))
		}
	}
	return all
}

func (h *hold) run(ctx context.Context, script *redis.Script, keys []string, args ...any) error {
	reply, err := script.Run(ctx, h.s.client, keys, args...).Text()
	if err != nil {
		return unavailable("run script", err)
	}
	return replyError(reply)
}

func replyError(reply string) error {
	switch reply {
	case replyOK:
		return nil
	case replyLock:
		return fsm.ErrLockLost
	case replyCursor:
		return fsm.ErrCursorMoved
	case replyStream:
		return fsm.ErrStreamChanged
	}
	return fmt.Errorf("%w: script replied %q", fsm.ErrUnavailable, reply)
}

func millis(d time.Duration) string { return itoa(d.Milliseconds()) }

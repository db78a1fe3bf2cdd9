package redisstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm"
)

// twoSteps reports whether lane and state are in different slots: no script can write both.
func (h *hold) twoSteps() bool { return h.keys.State != "" && h.keys.StateHome != h.keys.Home }

// mark is the field of the state's record with this lane's mark.
func (h *hold) mark() string { return "by:" + h.keys.Lane }

func (h *hold) Commit(ctx context.Context, c fsm.Change) error {
	if !h.twoSteps() {
		return h.commitLane(ctx, c, true)
	}
	if c.Touched {
		err := h.runDurably(ctx, h.s.scripts.mark, []string{h.names.state, h.names.stateLock},
			append([]any{h.token, h.mark(), fsm.Mark(h.at, c.Also), millis(h.s.cfg.LaneTTL)}, h.stateArgs(c)...)...)
		if err != nil {
			return fmt.Errorf("first step: %w", err)
		}
	}
	if err := h.commitLane(ctx, c, false); err != nil {
		return err
	}
	// The commit stands even if this fails: the lock expires, and the lane's next turn overwrites the mark.
	_ = h.run(ctx, h.s.scripts.finish, []string{h.names.state, h.names.stateLock}, h.token, h.mark(), fsm.Mark(h.at, c.Also), millis(h.s.cfg.StateTTL))
	return nil
}

func (h *hold) commitLane(ctx context.Context, c fsm.Change, withState bool) error {
	keys := []string{h.names.lock, h.names.lane, h.names.journal, h.names.seen}
	stored := int64(0)
	if !h.at.Stored.IsZero() {
		stored = h.at.Stored.UnixMilli()
	}
	args := []any{
		h.token, h.stream, h.cursor, itoa(h.at.Stream), utoa(c.Cursor), millis(h.s.cfg.LaneTTL),
		itoa(h.at.Update), itoa(stored), itoa(stored - h.s.cfg.SeenWindow.Milliseconds()),
		h.s.cfg.SeenMax, millis(h.s.cfg.SeenWindow), h.at.ID(), spaced(c.Also),
	}
	if withState && h.keys.State != "" {
		keys = append(keys, h.names.state)
		args = append(args, h.stateArgs(c)...)
		if h.keys.Separate() {
			keys = append(keys, h.names.stateLock)
		}
	}
	return h.runDurably(ctx, h.s.scripts.commit, keys, args...)
}

// stateArgs are the arguments of the Lua function write.
func (h *hold) stateArgs(c fsm.Change) []any {
	op := "keep"
	switch {
	case c.Touched && c.Gone():
		op = "drop"
	case c.Touched:
		op = "write"
	}
	return []any{op, millis(h.s.cfg.StateTTL), c.State, c.Data, c.Meta}
}

// runDurably also waits for WaitReplicas. WAIT covers only the writes of its own connection, so
// both go through one pipeline of one node.
func (h *hold) runDurably(ctx context.Context, script *redis.Script, keys []string, args ...any) error {
	if h.s.cfg.WaitReplicas == 0 {
		return h.run(ctx, script, keys, args...)
	}
	node, err := h.s.node(ctx, keys[0])
	if err != nil {
		return unavailable("find node", err)
	}
	reply, replicas, err := h.pipeWait(ctx, node, func(p redis.Pipeliner) *redis.Cmd { return script.EvalSha(ctx, p, keys, args...) })
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, replicas, err = h.pipeWait(ctx, node, func(p redis.Pipeliner) *redis.Cmd { return script.Eval(ctx, p, keys, args...) })
	}
	if err != nil {
		if c, ok := h.s.client.(*redis.ClusterClient); ok && strings.HasPrefix(err.Error(), "MOVED") {
			c.ReloadState(ctx)
		}
		return unavailable("commit and wait", err)
	}
	if err := replyError(reply); err != nil {
		return err
	}
	if replicas < int64(h.s.cfg.WaitReplicas) {
		return fmt.Errorf("%w: %d of %d replicas have the commit", fsm.ErrUnavailable, replicas, h.s.cfg.WaitReplicas)
	}
	return nil
}

func (h *hold) pipeWait(ctx context.Context, node redis.UniversalClient, eval func(redis.Pipeliner) *redis.Cmd) (reply string, replicas int64, err error) {
	pipe := node.Pipeline()
	run := eval(pipe)
	wait := pipe.Do(ctx, "WAIT", h.s.cfg.WaitReplicas, h.s.cfg.WaitTimeout.Milliseconds())
	_, execErr := pipe.Exec(ctx)
	if reply, err = run.Text(); err != nil {
		return "", 0, err
	}
	if replicas, err = wait.Int64(); err != nil {
		return "", 0, err
	}
	return reply, replicas, execErr
}

func (s *Store) node(ctx context.Context, key string) (redis.UniversalClient, error) {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, key)
	}
	return s.client, nil
}

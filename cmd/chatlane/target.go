package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// target is whose lane or state is meant: a chat with its bot, or a lane.
type target struct {
	chat   string // as typed: a chat id, or a lane
	bot    int64
	user   int64
	thread int64
}

var errNoBot = fmt.Errorf("%w: a chat id alone does not say of which bot; set --bot to the bot's id (the digits before the colon of its token), or name a lane such as 123456789:c:316", config.ErrUsage)

// check refuses what names no chat.
func (t target) check() error {
	if isChat(t.chat) {
		return nil
	}
	s, ok := lane.Key(t.chat).Scope()
	switch {
	case !ok:
		return fmt.Errorf("%w: %q is neither a chat id nor a lane; set one such as 316 or 123456789:c:316", config.ErrUsage, t.chat)
	case t.bot != 0 && t.bot != s.Bot:
		return fmt.Errorf("%w: lane %s is of bot %d, and --bot is %d", config.ErrUsage, t.chat, s.Bot, t.bot)
	}
	return nil
}

// scope is the chat's, with the user where only one can be meant.
func (t target) scope() (lane.Scope, error) {
	s, ok := lane.Key(t.chat).Scope()
	if !ok {
		if t.bot == 0 {
			return s, errNoBot
		}
		id, _ := strconv.ParseInt(t.chat, 10, 64) // checked
		s = lane.Scope{Bot: t.bot, Kind: lane.KindChat, Chat: id}
	}
	s.User, s.Thread = cmp.Or(t.user, s.User), cmp.Or(t.thread, s.Thread)
	if s.User == 0 && s.Chat > 0 && s.Kind == lane.KindChat {
		s.User = s.Chat // a private chat
	}
	return s, nil
}

// keys name the state and the lane that guards it.
func (t target) keys(by lane.By, strategy fsm.Strategy) (fsm.Keys, error) {
	s, err := t.scope()
	if err != nil {
		return fsm.Keys{}, err
	}
	k := fsm.KeysOf(by.Key(s), s, by, strategy)
	anyone := s
	anyone.User = cmp.Or(s.User, 1)
	ofUsers, _ := strategy.Key(anyone)
	switch {
	case k.State == "" && ofUsers != "":
		return k, fmt.Errorf("%w: a state is kept by user (CHATLANE_FSM_STRATEGY is %s), and %s has many; set --user", config.ErrUsage, strategy, t.chat)
	case k.State == "":
		return k, fmt.Errorf("%s has no conversation", t.chat)
	case by == lane.ByChatUser && s.User == 0:
		return k, fmt.Errorf("%w: lanes are by chat and user (CHATLANE_LANE_KEY is chat_user), and %s has many users; set --user", config.ErrUsage, t.chat)
	}
	return k, nil
}

// lanes are the chat's lanes that have updates stored, and the chat's own in any case.
func (t target) lanes(ctx context.Context, conn *broker.Conn, by lane.By) ([]lane.Key, error) {
	if !isChat(t.chat) {
		return []lane.Key{lane.Key(t.chat)}, nil
	}
	var found []lane.Key
	n := conn.Names()
	for stream, prefix := range map[string]string{n.Updates(): n.UpdatesPrefix(), n.Parked(): n.ParkedPrefix(), n.DeadLetters(): n.DeadLettersPrefix()} {
		for _, rest := range rests(t.chat, by) {
			lanes, err := queue.LanesOf(ctx, conn, stream, prefix, t.bot, rest)
			if err != nil {
				return nil, err
			}
			for _, k := range lanes {
				if names(t.chat, string(k)) && !slices.Contains(found, k) {
					found = append(found, k)
				}
			}
		}
	}
	if s, err := t.scope(); err == nil {
		if own := by.Key(s); !slices.Contains(found, own) {
			found = append(found, own)
		}
	} else if len(found) == 0 {
		return nil, errors.Join(fmt.Errorf("nothing of chat %s is stored", t.chat), err)
	}
	slices.Sort(found)
	return found, nil
}

// rests are what a chat's lanes have behind the bot; an empty one is any, where they cannot be told.
func rests(chat string, by lane.By) []string {
	if by == lane.ByChatTopic || by == lane.ByChatUser {
		return []string{""}
	}
	return []string{"c:" + chat, "g:" + chat, "u:" + chat}
}

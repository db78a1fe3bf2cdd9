package update

import (
	"strconv"

	"github.com/chatlane/chatlane/internal/lane"
)

// How deep below the payload an unknown type is searched: a query's message has a chat, a boost's source a user.
const (
	chatLevels = 2
	userLevels = 3
)

func (w *walker) update(bot int64) (e Envelope, reason Reason) {
	isObject, err := w.enter()
	switch {
	case err != nil:
		return e, NotJSON
	case !isObject:
		return e, w.whole(NotObject)
	}
	id, payloads, known := int64(-1), 0, false
	for {
		name, more, err := w.next()
		if err != nil {
			return e, NotJSON
		}
		if !more {
			break
		}
		var flaw Reason
		if string(name) == "update_id" {
			flaw, err = w.updateID(&id)
		} else {
			known, flaw, err = w.member(name, known, &payloads, &e)
		}
		if err != nil {
			return e, NotJSON
		}
		if reason == "" {
			reason = flaw
		}
	}
	if reason = w.whole(reason); reason != "" {
		return e, reason
	}
	return w.address(e, bot, id, payloads, known)
}

// whole lets NotJSON win over every other flaw.
func (w *walker) whole(flaw Reason) Reason {
	if w.end() != nil {
		return NotJSON
	}
	return flaw
}

func (w *walker) address(e Envelope, bot, id int64, payloads int, known bool) (Envelope, Reason) {
	switch {
	case id < 0:
		return e, NoUpdateID
	case payloads == 0:
		return e, NoPayload
	case payloads > 1:
		return e, TwoPayloads
	case w.bad && known:
		return e, BadID
	}
	e.UpdateID = id
	e.Album = w.top.album
	if len(e.Type) > maxName || len(e.Album) > maxName {
		return e, TooLong
	}
	var routed bool
	if e.Scope, routed = w.route(e.Type); !routed {
		if known {
			return e, NoRoute
		}
		e.Scope = lane.Scope{Kind: lane.KindOther, ID: strconv.FormatInt(id, 10)}
	}
	if len(e.ID) > maxName {
		return e, TooLong
	}
	e.Bot = bot
	return e, ""
}

func (w *walker) updateID(to *int64) (Reason, error) {
	before := w.bad
	if err := w.number(to); err != nil {
		return "", err
	}
	if w.bad != before {
		w.bad = before
		return NoUpdateID, nil
	}
	return "", nil
}

// member counts an object as a payload. Null is an absent member; the value of an unknown name may be anything.
func (w *walker) member(name []byte, was bool, payloads *int, e *Envelope) (known bool, flaw Reason, err error) {
	updateType, known := typeOf(name)
	switch kind := w.dec.PeekKind(); {
	case kind == '{' && *payloads > 0:
		*payloads++
		return was, "", w.skip()
	case kind == '{':
		*payloads++
		e.Type = updateType
		w.searching = !known || updateType == typeChatBoost || updateType == typeRemovedChatBoost
		w.inner = updateType == typeCallbackQuery
		w.named = updateType == typePoll || updateType == typeBusinessConnection
		w.asking = updateType == typeChatJoinRequest
		return known, "", w.payload(&w.top, 1)
	case known && kind != 'n':
		flaw = BadPayload
	}
	return was, flaw, w.skip()
}

func (w *walker) payload(f *findings, level int) error {
	isObject, err := w.enter()
	if err != nil || !isObject {
		return err
	}
	for {
		name, more, err := w.next()
		if err != nil || !more {
			return err
		}
		if level == 1 {
			err = w.finding(name, f)
		} else {
			err = w.search(name, f, level)
		}
		if err != nil {
			return err
		}
	}
}

func (w *walker) finding(name []byte, f *findings) error {
	switch string(name) {
	case "sender_chat":
		return w.numberIn("id", &f.sender)
	case "actor_chat":
		return w.numberIn("id", &f.actor)
	case "voter_chat":
		return w.numberIn("id", &f.voter)
	case "direct_messages_topic":
		return w.numberIn("topic_id", &f.topic)
	case "message_thread_id":
		return w.number(&f.thread)
	case "is_topic_message":
		return w.truth(&f.isTopic)
	case "business_connection_id":
		return w.text(&f.business)
	case "guest_query_id":
		f.guest = true
		return w.skip()
	case "id":
		if w.named {
			return w.text(&f.id)
		}
		return w.skip()
	case "user_chat_id":
		if w.asking {
			return w.number(&f.private)
		}
	case "media_group_id":
		return w.text(&f.album)
	case "message":
		if w.inner && f == &w.top {
			return w.payload(&w.message, 1)
		}
	}
	return w.search(name, f, 1)
}

// search prefers the shallowest chat and user, and of those the first.
func (w *walker) search(name []byte, f *findings, level int) error {
	switch string(name) {
	case "chat":
		return w.nearest(&f.chat, &f.chatLevel, level, chatLevels)
	case "from":
		return w.nearest(&f.from, &f.fromLevel, level, userLevels)
	case "user":
		return w.nearest(&f.user, &f.userLevel, level, userLevels)
	}
	if w.searching && level < userLevels {
		return w.payload(f, level+1)
	}
	return w.skip()
}

func (w *walker) nearest(to *int64, at *int, level, deepest int) error {
	if level > deepest {
		return w.skip()
	}
	var id int64
	if err := w.numberIn("id", &id); err != nil {
		return err
	}
	if id != 0 && (*at == 0 || level < *at) {
		*to, *at = id, level
	}
	return nil
}

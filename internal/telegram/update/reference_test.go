package update_test

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

// node is a document decoded whole: what Peek is compared with.
type node struct {
	kind  jsontext.Kind
	raw   string // of numbers
	text  string // of strings
	names []string
	kids  []*node
}

func parse(d *jsontext.Decoder) (*node, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	n := &node{kind: t.Kind()}
	switch n.kind {
	case '"':
		n.text = t.String()
	case '0':
		n.raw = t.String()
	case '{', '[':
		end := map[jsontext.Kind]jsontext.Kind{'{': '}', '[': ']'}[n.kind]
		for d.PeekKind() != end {
			if n.kind == '{' {
				name, err := d.ReadToken()
				if err != nil {
					return nil, err
				}
				n.names = append(n.names, name.String())
			}
			kid, err := parse(d)
			if err != nil {
				return nil, err
			}
			if last := len(n.names) - 1; n.kind == '{' {
				if i := slices.Index(n.names, n.names[last]); i < last { // the name came before
					n.names, n.kids[i] = n.names[:last], kid
					continue
				}
			}
			n.kids = append(n.kids, kid)
		}
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
	default: // the kind says it all
	}
	return n, nil
}

func (n *node) depth() int {
	deepest := 0
	for _, k := range n.kids {
		deepest = max(deepest, k.depth())
	}
	if n.kind == '{' || n.kind == '[' {
		deepest++
	}
	return deepest
}

// at follows names through objects; nil if one is missing.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n == nil || n.kind != '{' {
			return nil
		}
		i := slices.Index(n.names, name)
		if i < 0 {
			return nil
		}
		n = n.kids[i]
	}
	return n
}

// reference finds the envelope the slow way.
type reference struct{ bad bool }

func (r *reference) num(n *node) int64 {
	if n == nil || n.kind == 'n' {
		return 0
	}
	id, err := strconv.ParseInt(n.raw, 10, 64)
	if n.kind != '0' || err != nil {
		r.bad = true
		return 0
	}
	return id
}

func str(n *node) string {
	if n == nil || n.kind != '"' {
		return ""
	}
	return n.text
}

func (r *reference) peek(body []byte) (e update.Envelope, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	doc, err := parse(d)
	if err != nil || len(bytes.TrimLeft(body[d.InputOffset():], " \t\r\n")) > 0 {
		return e, false
	}
	if len(body) > update.MaxBody || doc.depth() > update.MaxDepth || doc.kind != '{' {
		return e, false
	}
	var payload *node
	known := false
	for i, name := range doc.names {
		isType := slices.Contains(update.Types(), name)
		switch kind := doc.kids[i].kind; {
		case name == "update_id":
		case kind == '{' && payload != nil:
			return e, false
		case kind == '{':
			payload, known, e.Type = doc.kids[i], isType, name
		case isType && kind != 'n':
			return e, false
		}
	}
	id := doc.at("update_id")
	if id == nil || id.kind == 'n' || payload == nil {
		return e, false
	}
	e.UpdateID = r.num(id)
	if r.bad || e.UpdateID < 0 {
		return e, false
	}
	e.Scope, ok = r.scope(e.Type, payload)
	e.Bot, e.Album = botID, str(payload.at("media_group_id"))
	if !ok && !known {
		e.Scope, ok = lane.Scope{Bot: botID, Kind: lane.KindOther, ID: id.raw}, true
		if n := e.UpdateID; strconv.FormatInt(n, 10) != id.raw { // -0
			e.ID = strconv.FormatInt(n, 10)
		}
	}
	return e, ok && (!r.bad || !known)
}

func (r *reference) scope(typ string, p *node) (lane.Scope, bool) {
	m := p
	if typ == "callback_query" {
		r.ids(p)
		m = p.at("message")
		if m == nil {
			m = &node{}
		}
	}
	ids := r.ids(m)
	from, user := r.num(p.at("from", "id")), r.num(p.at("user", "id"))
	s := lane.Scope{Kind: lane.KindChat, Chat: ids["chat"], Thread: ids["topic"]}
	if t := m.at("is_topic_message"); s.Thread == 0 && (t != nil && t.kind == 't' || typ == "stopped_message_generation") {
		s.Thread = ids["thread"]
	}
	ok := s.Chat != 0
	switch typ {
	case "poll":
		return lane.Scope{Kind: lane.KindPoll, ID: str(p.at("id"))}, str(p.at("id")) != ""
	case "business_connection":
		return lane.Scope{Kind: lane.KindBusiness, ID: str(p.at("id")), User: user}, str(p.at("id")) != ""
	case "inline_query", "chosen_inline_result", "shipping_query", "pre_checkout_query", "purchased_paid_media", "managed_bot", "subscription", "shared_widget_query":
		return alone(from, user)
	case "widget_query":
		if !ok {
			return alone(from, 0)
		}
		s.User = from
	case "poll_answer":
		return alone(ids["voter"], user)
	case "chat_join_request":
		chat := first(r.num(p.at("user_chat_id")), from)
		return lane.Scope{Bot: botID, Kind: lane.KindChat, Chat: chat, User: first(from, chat)}, ok && chat != 0
	case "callback_query":
		if !ok {
			return alone(from, 0)
		}
		s.User = from
	case "channel_post", "edited_channel_post":
		s.User = from
	case "message", "edited_message", "business_message", "edited_business_message", "deleted_business_messages", "guest_message":
		s.User = first(ids["sender"], from)
	case "message_reaction", "message_reaction_count", "my_chat_member", "chat_member":
		s.User = first(ids["actor"], from, user)
	case "chat_boost", "removed_chat_boost":
		found := r.hunt(p, 1)
		s.Chat = nearest(found, "chat").id
		s.User = first(ids["actor"], nearest(found, "from").id, nearest(found, "user").id)
		return r.space(typ, s, m), s.Chat != 0
	case "stopped_message_generation":
	default:
		found := r.hunt(p, 1)
		s.Chat = nearest(found, "chat").id
		f, u := nearest(found, "from"), nearest(found, "user")
		if f.id == 0 || u.id != 0 && u.level < f.level {
			f = u
		}
		s.User = first(ids["sender"], ids["actor"], ids["voter"], f.id)
		switch b := str(p.at("business_connection_id")); {
		case s.Chat != 0:
			return r.space(typ, s, m), true
		case b != "":
			return lane.Scope{Bot: botID, Kind: lane.KindBusiness, ID: b, User: s.User}, true
		}
		return alone(s.User, 0)
	}
	return r.space(typ, s, m), ok && (!slices.Contains([]string{
		"business_message", "edited_business_message", "deleted_business_messages",
	}, typ) || str(m.at("business_connection_id")) != "")
}

func (r *reference) ids(p *node) map[string]int64 {
	return map[string]int64{
		"chat": r.num(p.at("chat", "id")), "from": r.num(p.at("from", "id")), "user": r.num(p.at("user", "id")),
		"sender": r.num(p.at("sender_chat", "id")), "actor": r.num(p.at("actor_chat", "id")), "voter": r.num(p.at("voter_chat", "id")),
		"topic": r.num(p.at("direct_messages_topic", "topic_id")), "thread": r.num(p.at("message_thread_id")),
	}
}

// find is a chat or a user somewhere in a payload.
type find struct {
	name  string
	level int
	id    int64
}

func (r *reference) hunt(p *node, level int) (found []find) {
	own := []string{
		"sender_chat", "actor_chat", "voter_chat", "direct_messages_topic", "message_thread_id", "is_topic_message",
		"business_connection_id", "guest_query_id", "id", "media_group_id",
	}
	for i, name := range p.names {
		switch kid := p.kids[i]; {
		case name == "chat" && level > 2, kid.kind != '{', level == 1 && slices.Contains(own, name):
		case name == "chat" || name == "from" || name == "user":
			if id := r.num(kid.at("id")); id != 0 {
				found = append(found, find{name, level, id})
			}
		case level < 3:
			found = append(found, r.hunt(kid, level+1)...)
		}
	}
	return found
}

func nearest(found []find, name string) (best find) {
	for _, f := range found {
		if f.name == name && (best.level == 0 || f.level < best.level) {
			best = f
		}
	}
	return best
}

func first(ids ...int64) int64 {
	for _, id := range ids {
		if id != 0 {
			return id
		}
	}
	return 0
}

func alone(a, b int64) (lane.Scope, bool) {
	id := first(a, b)
	return lane.Scope{Kind: lane.KindChat, Chat: id, User: id}, id != 0
}

// space puts the scope into the namespace that its chat is of.
func (r *reference) space(typ string, s lane.Scope, m *node) lane.Scope {
	switch b := str(m.at("business_connection_id")); {
	case b != "":
		s.Kind, s.ID = lane.KindBusiness, b
	case m.at("guest_query_id") != nil:
		s.Kind = lane.KindGuest
	case s.User == 0 && s.Chat > 0:
		s.User = s.Chat
	}
	if typ == "guest_message" {
		s.Kind = lane.KindGuest
	}
	return s
}

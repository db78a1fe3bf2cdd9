package bot

import "github.com/mymmrac/telego"

// Membership is a set of relations to a chat; join several with |.
type Membership uint8

// The relations of a user to a chat.
const (
	Owner Membership = 1 << iota
	Administrator
	Member
	RestrictedMember // in the chat, with fewer rights
	RestrictedGone   // not in the chat, and restricted should they return
	Gone
	Banned

	// IsMember is everybody in the chat.
	IsMember = Owner | Administrator | Member | RestrictedMember
	// IsAdmin is everybody who runs the chat.
	IsAdmin = Owner | Administrator
	// NotMember is everybody outside.
	NotMember = RestrictedGone | Gone | Banned
)

// MembershipOf is the relation of a Bot API chat member; 0 for nil and unknown statuses.
func MembershipOf(m telego.ChatMember) Membership {
	if m == nil {
		return 0
	}
	switch m.MemberStatus() {
	case telego.MemberStatusCreator:
		return Owner
	case telego.MemberStatusAdministrator:
		return Administrator
	case telego.MemberStatusMember:
		return Member
	case telego.MemberStatusRestricted:
		if m.MemberIsMember() {
			return RestrictedMember
		}
		return RestrictedGone
	case telego.MemberStatusLeft:
		return Gone
	case telego.MemberStatusBanned:
		return Banned
	}
	return 0
}

// Became passes chat_member and my_chat_member updates from a membership of the first set to one of the second.
func Became(from, to Membership) Filter {
	return when("", func(t *Turn) bool {
		u := t.decoded()
		if u == nil {
			return false
		}
		change := u.ChatMember
		if change == nil {
			change = u.MyChatMember
		}
		return change != nil && MembershipOf(change.OldChatMember)&from != 0 && MembershipOf(change.NewChatMember)&to != 0
	})
}

// Joined passes when a user came into the chat.
func Joined() Filter { return Became(NotMember, IsMember) }

// Left passes when a user left the chat, or was removed.
func Left() Filter { return Became(IsMember, NotMember) }

// Promoted passes when a user was made an administrator.
func Promoted() Filter { return Became(NotMember|Member|RestrictedMember, IsAdmin) }

// Demoted passes when an administrator became a member without powers.
func Demoted() Filter { return Became(IsAdmin, Member|RestrictedMember) }

// Blocked passes when the user of a private chat blocked the bot.
func Blocked() Filter { return And(InPrivate(), Became(IsMember, NotMember)) }

// Unblocked passes when the user of a private chat unblocked the bot.
func Unblocked() Filter { return And(InPrivate(), Became(NotMember, IsMember)) }

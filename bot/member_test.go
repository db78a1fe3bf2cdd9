package bot_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
)

func TestMembershipTransitions(t *testing.T) {
	t.Parallel()
	var (
		owner      = &telego.ChatMemberOwner{Status: "creator"}
		admin      = &telego.ChatMemberAdministrator{Status: "administrator"}
		member     = &telego.ChatMemberMember{Status: "member"}
		muted      = &telego.ChatMemberRestricted{Status: "restricted", IsMember: true}
		mutedGone  = &telego.ChatMemberRestricted{Status: "restricted"}
		left       = &telego.ChatMemberLeft{Status: "left"}
		banned     = &telego.ChatMemberBanned{Status: "kicked"}
		transition = map[string]bot.Filter{
			"joined": bot.Joined(), "left": bot.Left(), "promoted": bot.Promoted(), "demoted": bot.Demoted(),
			"muted": bot.Became(bot.Member, bot.RestrictedMember), "banned": bot.Became(bot.IsMember, bot.Banned),
		}
	)
	for m, want := range map[telego.ChatMember]bot.Membership{
		owner: bot.Owner, admin: bot.Administrator, member: bot.Member, muted: bot.RestrictedMember,
		mutedGone: bot.RestrictedGone, left: bot.Gone, banned: bot.Banned, nil: 0,
	} {
		if got := bot.MembershipOf(m); got != want {
			t.Errorf("membership of %T is %b, want %b", m, got, want)
		}
	}
	for _, c := range []struct {
		from, to telego.ChatMember
		want     []string
	}{
		{left, member, []string{"joined"}},
		{banned, left, nil},
		{mutedGone, muted, []string{"joined"}},
		{left, admin, []string{"joined", "promoted"}},
		{member, admin, []string{"promoted"}},
		{admin, owner, nil},
		{admin, member, []string{"demoted"}},
		{admin, left, []string{"left"}},
		{member, muted, []string{"muted"}},
		{member, banned, []string{"banned", "left"}},
	} {
		change := telego.ChatMemberUpdated{Chat: telego.Chat{Type: "supergroup"}, OldChatMember: c.from, NewChatMember: c.to}
		var got []string
		for _, name := range []string{"banned", "demoted", "joined", "left", "muted", "promoted"} {
			if passes(t, transition[name], turnOf("chat_member", telego.Update{ChatMember: &change})) {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("from %T to %T (-want +got):\n%s", c.from, c.to, diff)
		}
	}
	block := telego.Update{MyChatMember: &telego.ChatMemberUpdated{
		Chat: telego.Chat{Type: "private"}, OldChatMember: member, NewChatMember: banned,
	}}
	if !passes(t, bot.Blocked(), turnOf("my_chat_member", block)) || passes(t, bot.Unblocked(), turnOf("my_chat_member", block)) {
		t.Error("want blocked, and not unblocked")
	}
	if bot.IsMember&bot.NotMember != 0 || bot.IsAdmin&bot.IsMember != bot.IsAdmin {
		t.Error("memberships overlap")
	}
	if passes(t, bot.Joined(), message("hi")) {
		t.Error("a message passes as a transition")
	}
}

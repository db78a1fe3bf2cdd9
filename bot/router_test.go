package bot_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func nothing(context.Context, *bot.Turn) error { return nil }

// mustPanic wants a panic whose text contains want.
func mustPanic(t *testing.T, want string, do func()) {
	t.Helper()
	defer func() {
		t.Helper()
		text, _ := recover().(string)
		if !strings.Contains(text, want) {
			t.Errorf("panic %q, want one about %q", text, want)
		}
	}()
	do()
}

func TestRoutersFormATree(t *testing.T) {
	t.Parallel()
	root, child, grandchild := bot.New("root"), bot.New("child"), bot.New("grandchild")
	root.Include(child)
	child.Include(grandchild)
	mustPanic(t, `router "child" is included in "root" already`, func() { bot.New("other").Include(child) })
	mustPanic(t, `router "root" would include itself`, func() { grandchild.Include(root) })
	mustPanic(t, `router "root" would include itself`, func() { root.Include(root) })
	wantMistakes(t, child, "only a root can be compiled")
	if root.Name() != "root" {
		t.Errorf("root is called %q", root.Name())
	}
}

// Mistakes that only the whole tree shows are told when it is compiled, all at once,
// and not by the first update.
func TestCompileReturnsAllMistakes(t *testing.T) {
	t.Parallel()
	root, child := bot.New("root"), bot.New("child")
	root.Include(child)
	root.Flow("order")
	child.Flow("order")
	root.OnTimeout(nothing, time.Minute, "order:quantity")
	child.OnTimeout(nothing, time.Hour, "order:quantity")
	child.OnUnhandled(nothing)
	for range 2 { // the second time as well
		wantMistakes(t, root, `flow "order" is declared by two routers`, `state "order:quantity" has two timeouts`, "hook for unhandled")
	}
}

func TestCompileGivesOneProgram(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	if first, second := compiled(t, r), compiled(t, r); first != second {
		t.Error("a second call gives another program")
	}
}

func TestRouterRefusesToChangeInUse(t *testing.T) {
	t.Parallel()
	root, child := bot.New("root"), bot.New("child")
	root.Include(child)
	root.Message(nothing)
	if err := compiled(t, root).Answer(t.Context(), message("hi")); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(){
		"On": func() { child.Message(nothing) }, "Outer": func() { root.Outer(bot.AutoAnswer) },
		"Inner": func() { root.Inner(bot.AutoAnswer) }, "Guard": func() { root.Guard(bot.Text()) },
		"Include": func() { root.Include(bot.New("late")) }, "Flow": func() { root.Flow("late") },
		"OnError":     func() { root.OnError(nil) },
		"OnUnhandled": func() { root.OnUnhandled(nothing) },
		"OnTimeout":   func() { root.OnTimeout(nothing, time.Minute, "a:b") },
		"Before":      func() { root.Before(nil) }, "Calls": func() { root.Calls(nil) },
		"Urgent": func() { root.Urgent(bot.Message, nothing) }, "Albums": func() { root.Albums(1) },
	} {
		mustPanic(t, name+" comes too late", change)
	}
}

func TestRouterRefusesHandlersThatCannotRun(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	take := func(route *bot.Route) *bot.Route { return route }
	route := take(r.Message(nothing))
	_ = compiled(t, r).Answer(t.Context(), message("hi"))
	mustPanic(t, "To comes too late", func() { route.To(bot.None) })
	r = bot.New("r")
	mustPanic(t, "On wants a handler", func() { r.Message(nil) })
	mustPanic(t, "On wants a handler", func() { r.On(0, nothing) })
	mustPanic(t, "filter 2 is empty", func() { r.Message(nothing, bot.Text(), bot.Filter{}) })
	mustPanic(t, "OnTimeout wants states", func() { r.OnTimeout(nothing, time.Minute) })
	r.OnTimeout(nothing, time.Minute, "order:quantity")
	mustPanic(t, `state "order:quantity" has two timeouts`, func() { r.OnTimeout(nothing, time.Hour, "order:quantity") })
}

func TestRouterSwitchesOffAndOnWhileInUse(t *testing.T) {
	t.Parallel()
	root, shop := bot.New("root"), bot.New("shop")
	shop.Message(bot.Say("open"))
	root.Include(shop)
	root2 := bot.New("top")
	root2.Include(root)
	closed := bot.New("closed")
	closed.Message(bot.Say("closed"))
	root2.Include(closed)
	ann := bottest.New(t, root2).Person("Ann")

	ann.Say("?")
	root.SetEnabled(false)
	ann.Say("?")
	root.SetEnabled(true)
	ann.Say("?")
	ann.Expect("open", "closed", "open")
	if !root.Enabled() {
		t.Error("router is not enabled")
	}
}

func TestAllowedUpdatesAreThoseWithHandlers(t *testing.T) {
	t.Parallel()
	root, child := bot.New("root"), bot.New("child")
	root.Include(child)
	root.Outer(bot.AutoAnswer)
	root.Message(nothing)
	child.On(bot.ChatMember|bot.InlineQuery, nothing)
	child.Urgent(bot.EditedMessage, nothing)
	child.OnTimeout(nothing, time.Minute, "a:b")
	want := []string{"message", "edited_message", "inline_query", "chat_member"}
	if diff := cmp.Diff(want, root.AllowedUpdates()); diff != "" {
		t.Errorf("allowed updates (-want +got):\n%s", diff)
	}
	child.On(bot.AnyUpdate, nothing)
	if n := len(root.AllowedUpdates()); n != 29 {
		t.Errorf("a handler for any update asks for %d types, want 29", n)
	}
}

func TestEveryUpdateTypeHasItsHandler(t *testing.T) {
	t.Parallel()
	types := map[string]bot.Type{
		"message": bot.Message, "edited_message": bot.EditedMessage,
		"channel_post": bot.ChannelPost, "edited_channel_post": bot.EditedChannelPost,
		"business_connection": bot.BusinessConnection, "business_message": bot.BusinessMessage,
		"edited_business_message":   bot.EditedBusinessMessage,
		"deleted_business_messages": bot.DeletedBusinessMessages, "guest_message": bot.GuestMessage,
		"message_reaction": bot.MessageReaction, "message_reaction_count": bot.MessageReactionCount,
		"inline_query": bot.InlineQuery, "chosen_inline_result": bot.ChosenInlineResult,
		"callback_query": bot.CallbackQuery, "shipping_query": bot.ShippingQuery,
		"pre_checkout_query": bot.PreCheckoutQuery, "purchased_paid_media": bot.PurchasedPaidMedia,
		"poll": bot.Poll, "poll_answer": bot.PollAnswer,
		"my_chat_member": bot.MyChatMember, "chat_member": bot.ChatMember, "chat_join_request": bot.ChatJoinRequest,
		"chat_boost": bot.ChatBoost, "removed_chat_boost": bot.RemovedChatBoost,
		"managed_bot": bot.ManagedBot, "subscription": bot.Subscription,
		"stopped_message_generation": bot.StoppedMessageGeneration,
		"widget_query":               bot.WidgetQuery, "shared_widget_query": bot.SharedWidgetQuery,
	}
	if n := len((bot.AnyUpdate &^ bot.Unknown).Names()); len(types) != 29 || n != 29 {
		t.Fatalf("%d update types and %d names, want 29", len(types), n)
	}
	types["some_type_of_tomorrow"] = bot.Unknown
	for name, typ := range types {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := bot.TypeOf(name); got != typ || typ != bot.Unknown && got.String() != name {
				t.Fatalf("type of %q is %v", name, got)
			}
			var tr trace
			r := bot.New("r")
			r.On(bot.AnyUpdate&^typ, tr.handler("other", nil))
			r.On(typ, tr.handler("own", bot.ErrSkip))
			r.On(bot.AnyUpdate, tr.handler("any", nil))
			turn := bot.NewTurn(bot.Parts{Type: name, Raw: []byte(`{"update_id":1}`), Update: &telego.Update{}})
			if err := compiled(t, r).Answer(t.Context(), turn); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(tr, " "); got != "own any" {
				t.Errorf("handlers %s, want own any", got)
			}
		})
	}
}

func TestTypesJoin(t *testing.T) {
	t.Parallel()
	if got := (bot.Message | bot.CallbackQuery).String(); got != "message|callback_query" {
		t.Errorf("got %q", got)
	}
	want := []string{
		"message", "edited_message", "channel_post", "edited_channel_post",
		"business_message", "edited_business_message", "guest_message",
	}
	if diff := cmp.Diff(want, bot.AnyMessage.Names()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestCallMiddlewareGoesAroundEveryCall(t *testing.T) {
	t.Parallel()
	var tr trace
	around := func(name string) bot.CallMiddleware {
		return func(next bot.CallFunc) bot.CallFunc {
			return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
				tr.add(name + ":" + method)
				return next(ctx, method, params)
			}
		}
	}
	root, child := bot.New("root"), bot.New("child")
	root.Include(child)
	child.Calls(around("child"))
	root.Calls(around("root"))
	root.Message(bot.Say("hello"))
	ann := bottest.New(t, root).Person("Ann")
	ann.Say("hi")
	ann.Expect("hello")
	if got := strings.Join(tr, " "); got != "root:sendMessage child:sendMessage" {
		t.Errorf("calls went through %s", got)
	}
}

package bot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/mymmrac/telego"
)

// Content names what a message carries, in the words of the Bot API.
type Content string

// What messages carry, service messages included. A message has one content, except that an animation is a
// document as well.
const (
	ContentText       Content = "text"
	ContentPhoto      Content = "photo"
	ContentVideo      Content = "video"
	ContentAnimation  Content = "animation"
	ContentAudio      Content = "audio"
	ContentVoice      Content = "voice"
	ContentVideoNote  Content = "video_note"
	ContentDocument   Content = "document"
	ContentSticker    Content = "sticker"
	ContentStory      Content = "story"
	ContentContact    Content = "contact"
	ContentLocation   Content = "location"
	ContentVenue      Content = "venue"
	ContentPoll       Content = "poll"
	ContentDice       Content = "dice"
	ContentGame       Content = "game"
	ContentInvoice    Content = "invoice"
	ContentPayment    Content = "successful_payment"
	ContentRefund     Content = "refunded_payment"
	ContentWebApp     Content = "web_app_data"
	ContentPaidMedia  Content = "paid_media"
	ContentChecklist  Content = "checklist"
	ContentJoined     Content = "new_chat_members"
	ContentLeft       Content = "left_chat_member"
	ContentPinned     Content = "pinned_message"
	ContentTitle      Content = "new_chat_title"
	ContentMigrated   Content = "migrate_to_chat_id"
	ContentUserShared Content = "users_shared"
	ContentChatShared Content = "chat_shared"

	ContentRichMessage                   Content = "rich_message"
	ContentLivePhoto                     Content = "live_photo"
	ContentChatOwnerLeft                 Content = "chat_owner_left"
	ContentChatOwnerChanged              Content = "chat_owner_changed"
	ContentNewChatPhoto                  Content = "new_chat_photo"
	ContentDeleteChatPhoto               Content = "delete_chat_photo"
	ContentGroupChatCreated              Content = "group_chat_created"
	ContentSupergroupChatCreated         Content = "supergroup_chat_created"
	ContentChannelChatCreated            Content = "channel_chat_created"
	ContentMessageAutoDeleteTimerChanged Content = "message_auto_delete_timer_changed"
	ContentMigrateFromChatID             Content = "migrate_from_chat_id"
	ContentGift                          Content = "gift"
	ContentUniqueGift                    Content = "unique_gift"
	ContentGiftUpgradeSent               Content = "gift_upgrade_sent"
	ContentConnectedWebsite              Content = "connected_website"
	ContentWriteAccessAllowed            Content = "write_access_allowed"
	ContentPassportData                  Content = "passport_data"
	ContentProximityAlertTriggered       Content = "proximity_alert_triggered"
	ContentBoostAdded                    Content = "boost_added"
	ContentChatBackgroundSet             Content = "chat_background_set"
	ContentChecklistTasksDone            Content = "checklist_tasks_done"
	ContentChecklistTasksAdded           Content = "checklist_tasks_added"
	ContentCommunityChatAdded            Content = "community_chat_added"
	ContentCommunityChatJoined           Content = "community_chat_joined"
	ContentCommunityChatRemoved          Content = "community_chat_removed"
	ContentDirectMessagePriceChanged     Content = "direct_message_price_changed"
	ContentForumTopicCreated             Content = "forum_topic_created"
	ContentForumTopicEdited              Content = "forum_topic_edited"
	ContentForumTopicClosed              Content = "forum_topic_closed"
	ContentForumTopicReopened            Content = "forum_topic_reopened"
	ContentGeneralForumTopicHidden       Content = "general_forum_topic_hidden"
	ContentGeneralForumTopicUnhidden     Content = "general_forum_topic_unhidden"
	ContentGiveawayCreated               Content = "giveaway_created"
	ContentGiveaway                      Content = "giveaway"
	ContentGiveawayWinners               Content = "giveaway_winners"
	ContentGiveawayCompleted             Content = "giveaway_completed"
	ContentManagedBotCreated             Content = "managed_bot_created"
	ContentPaidMessagePriceChanged       Content = "paid_message_price_changed"
	ContentPollOptionAdded               Content = "poll_option_added"
	ContentPollOptionDeleted             Content = "poll_option_deleted"
	ContentSuggestedPostApproved         Content = "suggested_post_approved"
	ContentSuggestedPostApprovalFailed   Content = "suggested_post_approval_failed"
	ContentSuggestedPostDeclined         Content = "suggested_post_declined"
	ContentSuggestedPostPaid             Content = "suggested_post_paid"
	ContentSuggestedPostRefunded         Content = "suggested_post_refunded"
	ContentVideoChatScheduled            Content = "video_chat_scheduled"
	ContentVideoChatStarted              Content = "video_chat_started"
	ContentVideoChatEnded                Content = "video_chat_ended"
	ContentVideoChatParticipantsInvited  Content = "video_chat_participants_invited"
)

// Has passes messages that carry one of these contents. It panics on an unknown one.
func Has(contents ...Content) Filter {
	fields := make([]int, 0, len(contents))
	for _, c := range contents {
		field, ok := contentField(c)
		if !ok {
			panic(fmt.Sprintf("bot: content %q is not known", c))
		}
		fields = append(fields, field)
	}
	label := ""
	if len(contents) > 0 {
		label = string(contents[0])
	}
	return when(label, func(t *Turn) bool {
		if t.Message() == nil || t.typ == CallbackQuery {
			return false
		}
		m := reflect.ValueOf(t.Message()).Elem()
		return slices.ContainsFunc(fields, func(f int) bool { return !m.Field(f).IsZero() })
	})
}

func contentField(c Content) (int, bool) {
	if c == "" || slices.Contains(circumstances(), string(c)) {
		return 0, false
	}
	typ := reflect.TypeFor[telego.Message]()
	for i := range typ.NumField() {
		if name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ","); name == string(c) {
			return i, true
		}
	}
	return 0, false
}

func circumstances() []string {
	return []string{
		"message_id", "message_thread_id", "direct_messages_topic", "from", "sender_chat",
		"sender_boost_count", "sender_business_bot", "sender_tag", "receiver_user", "ephemeral_message_id",
		"date", "guest_query_id", "business_connection_id", "chat", "forward_origin",
		"is_topic_message", "is_automatic_forward", "reply_to_message", "external_reply", "quote",
		"reply_to_story", "reply_to_checklist_task_id", "reply_to_poll_option_id", "via_bot", "guest_bot_caller_user",
		"guest_bot_caller_chat", "edit_date", "has_protected_content", "is_from_offline", "is_paid_post",
		"media_group_id", "author_signature", "paid_star_count", "entities", "link_preview_options",
		"suggested_post_info", "effect_id", "caption", "caption_entities", "show_caption_above_media",
		"has_media_spoiler", "reply_markup",
	}
}

var errNoFiles = errors.New("files cannot be opened here")

// Download opens a message's file by its file id. Telegram's own server gives up to 20 MB. The caller closes
// the file and should bound how much is read. No error shows the bot's token.
func (t *Turn) Download(ctx context.Context, fileID string) (io.ReadCloser, error) {
	if t.p.File == nil || t.p.API == nil {
		return nil, errNoFiles
	}
	f, err := t.p.API.GetFile(ctx, &telego.GetFileParams{FileID: fileID})
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	body, err := t.p.File(ctx, f.FilePath)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return body, nil
}

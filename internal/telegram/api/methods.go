package api

import (
	"slices"
	"strings"
	"sync"
)

const otherMethod = "other"

// methods lists Bot API 10.5: the closed set of metric labels.
func methods() []string {
	return []string{
		"addStickerToSet", "answerCallbackQuery", "answerChatJoinRequestQuery", "answerGuestQuery",
		"answerInlineQuery", "answerPreCheckoutQuery", "answerShippingQuery", "answerWebAppQuery",
		"answerWidgetQuery", "approveChatJoinRequest", "approveSuggestedPost", "banChatMember",
		"banChatSenderChat", "close", "closeForumTopic", "closeGeneralForumTopic", "convertGiftToStars",
		"copyMessage", "copyMessages", "createChatInviteLink", "createChatSubscriptionInviteLink",
		"createForumTopic", "createInvoiceLink", "createNewStickerSet", "declineChatJoinRequest",
		"declineSuggestedPost", "deleteAllMessageReactions", "deleteBusinessMessages", "deleteChatPhoto",
		"deleteChatStickerSet", "deleteEphemeralMessage", "deleteForumTopic", "deleteMessage",
		"deleteMessageReaction", "deleteMessages", "deleteMyCommands", "deleteStickerFromSet",
		"deleteStickerSet", "deleteStory", "deleteWebhook", "editChatInviteLink",
		"editChatSubscriptionInviteLink", "editEphemeralMessageCaption", "editEphemeralMessageMedia",
		"editEphemeralMessageReplyMarkup", "editEphemeralMessageText", "editForumTopic", "editGeneralForumTopic",
		"editMessageCaption", "editMessageChecklist", "editMessageLiveLocation", "editMessageMedia",
		"editMessageReplyMarkup", "editMessageText", "editMessageWidgetData", "editSharedWidgetData",
		"editStory", "editUserStarSubscription", "exportChatInviteLink", "forwardMessage", "forwardMessages",
		"getAvailableGifts", "getBusinessAccountGifts", "getBusinessAccountStarBalance", "getBusinessConnection",
		"getChat", "getChatAdministrators", "getChatGifts", "getChatMember", "getChatMemberCount",
		"getChatMenuButton", "getCustomEmojiStickers", "getFile", "getForumTopicIconStickers",
		"getGameHighScores", "getManagedBotAccessSettings", "getManagedBotToken", "getMe", "getMyCommands",
		"getMyDefaultAdministratorRights", "getMyDescription", "getMyName", "getMyShortDescription",
		"getMyStarBalance", "getStarTransactions", "getStickerSet", "getUpdates", "getUserChatBoosts",
		"getUserGifts", "getUserPersonalChatMessages", "getUserProfileAudios", "getUserProfilePhotos",
		"getWebhookInfo", "giftPremiumSubscription", "hideGeneralForumTopic", "leaveChat", "logOut",
		"pinChatMessage", "postStory", "promoteChatMember", "readBusinessMessage", "refundStarPayment",
		"removeBusinessAccountProfilePhoto", "removeChatVerification", "removeMyProfilePhoto",
		"removeUserVerification", "reopenForumTopic", "reopenGeneralForumTopic", "replaceManagedBotToken",
		"replaceStickerInSet", "repostStory", "restrictChatMember", "revokeChatInviteLink",
		"savePreparedInlineMessage", "savePreparedKeyboardButton", "sendAnimation", "sendAudio",
		"sendChatAction", "sendChatJoinRequestWebApp", "sendChecklist", "sendContact", "sendDice",
		"sendDocument", "sendGame", "sendGift", "sendInvoice", "sendLivePhoto", "sendLocation", "sendMediaGroup",
		"sendMessage", "sendMessageDraft", "sendPaidMedia", "sendPhoto", "sendPoll", "sendRichMessage",
		"sendRichMessageDraft", "sendSharedWidget", "sendSticker", "sendVenue", "sendVideo", "sendVideoNote",
		"sendVoice", "sendWidget", "setBusinessAccountBio", "setBusinessAccountGiftSettings",
		"setBusinessAccountName", "setBusinessAccountProfilePhoto", "setBusinessAccountUsername",
		"setChatAdministratorCustomTitle", "setChatDescription", "setChatMemberTag", "setChatMenuButton",
		"setChatPermissions", "setChatPhoto", "setChatStickerSet", "setChatTitle",
		"setCustomEmojiStickerSetThumbnail", "setGameScore", "setManagedBotAccessSettings", "setMessageReaction",
		"setMyCommands", "setMyDefaultAdministratorRights", "setMyDescription", "setMyName", "setMyProfilePhoto",
		"setMySettings", "setMyShortDescription", "setPassportDataErrors", "setStickerEmojiList",
		"setStickerKeywords", "setStickerMaskPosition", "setStickerPositionInSet", "setStickerSetThumbnail",
		"setStickerSetTitle", "setUserEmojiStatus", "setWebhook", "stopMessageLiveLocation", "stopPoll",
		"transferBusinessAccountStars", "transferGift", "unbanChatMember", "unbanChatSenderChat",
		"unhideGeneralForumTopic", "unpinAllChatMessages", "unpinAllForumTopicMessages",
		"unpinAllGeneralForumTopicMessages", "unpinChatMessage", "upgradeGift", "uploadStickerFile",
		"verifyChat", "verifyUser",
	}
}

// IsMethod reports whether this version knows the method.
func IsMethod(name string) bool { return names()[strings.ToLower(name)] != "" }

// names are the methods by their names in small letters.
var names = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // a constant
	all := make(map[string]string, 256)
	for _, name := range methods() {
		all[strings.ToLower(name)] = name
	}
	return all
})

// Method gives a method's name as the Bot API spells it: Telegram ignores case. A name that is not known stays as it
// is, except for the case of its first word.
func Method(name string) string {
	if spelt, ok := names()[name]; ok { // all in small letters
		return spelt
	}
	if spelt, ok := names()[strings.ToLower(name)]; ok {
		return spelt
	}
	for _, verb := range [...]string{"get", "send", "copy", "forward", "edit", "answer"} {
		if len(name) > len(verb) && strings.EqualFold(name[:len(verb)], verb) {
			return verb + name[len(verb):]
		}
	}
	return name
}

// IsPossible reports whether a name may stand for a method, known or not.
func IsPossible(name string) bool { return isMethod(name) }

// GivesSecret reports whether a method's result is a secret, such as another bot's token. It is never journaled: a
// later attempt of the turn makes the call again.
func GivesSecret(method string) bool {
	switch strings.ToLower(method) {
	case "getmanagedbottoken", "replacemanagedbottoken":
		return true
	}
	return false
}

func isRead(method string) bool { return strings.HasPrefix(method, "get") }

// isTransient: nothing of the effect lasts, so repeating costs less than journaling.
func isTransient(method string) bool {
	switch method {
	case "sendChatAction", "sendMessageDraft", "sendRichMessageDraft":
		return true
	}
	return false
}

// Kinds of calls for the limiter. All others are held by what Telegram says of their method alone.
const (
	kindMessage = "message" // appears as a message
	kindBulk    = "bulk"    // a message under Bulk
	kindEdit    = "edit"    // of a message

	kindInlineEdit = "edit_inline" // of a message that names no chat
)

// kindOf takes a name as Telegram does, without regard to case.
func kindOf(method string) string {
	m := strings.ToLower(method)
	switch {
	case slices.Contains([]string{"sendchataction", "sendmessagedraft", "sendrichmessagedraft"}, m):
	case strings.HasPrefix(m, "editmessage"), m == "editephemeralmessagetext":
		return kindEdit
	case strings.HasPrefix(m, "send"), strings.HasPrefix(m, "copy"), strings.HasPrefix(m, "forward"):
		return kindMessage
	}
	return m
}

// kinds has the kinds of all methods, so that a call looks its own up.
func kinds() map[string]string {
	all := make(map[string]string, 192)
	for _, method := range methods() {
		all[method] = kindOf(method)
	}
	return all
}

func isMethod(method string) bool {
	for i := range len(method) {
		if c := method[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return method != "" && len(method) <= 64
}

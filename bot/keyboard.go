package bot

import (
	"slices"

	"github.com/mymmrac/telego"
)

// Inline puts buttons under the message. Without rows it takes them away.
func Inline(rows ...[]telego.InlineKeyboardButton) Option {
	if rows == nil {
		rows = [][]telego.InlineKeyboardButton{} // null would leave the old ones
	}
	return Markup(&telego.InlineKeyboardMarkup{InlineKeyboard: rows})
}

// Row is one row of inline buttons.
func Row(buttons ...telego.InlineKeyboardButton) []telego.InlineKeyboardButton { return buttons }

// Grid breaks inline buttons into rows of n, the last one may be shorter.
func Grid(n int, buttons ...telego.InlineKeyboardButton) [][]telego.InlineKeyboardButton {
	return slices.Collect(slices.Chunk(buttons, n))
}

// Button is an inline button that sends data, at most 64 bytes, to the bot.
func Button(text, data string) telego.InlineKeyboardButton {
	return telego.InlineKeyboardButton{Text: text, CallbackData: data}
}

// LinkButton is an inline button that opens a link.
func LinkButton(text, url string) telego.InlineKeyboardButton {
	return telego.InlineKeyboardButton{Text: text, URL: url}
}

// Keyboard shows rows of buttons below the input field; a press sends the text.
func Keyboard(rows ...[]string) Option {
	k := &telego.ReplyKeyboardMarkup{ResizeKeyboard: true}
	for _, row := range rows {
		buttons := make([]telego.KeyboardButton, 0, len(row))
		for _, text := range row {
			buttons = append(buttons, telego.KeyboardButton{Text: text})
		}
		k.Keyboard = append(k.Keyboard, buttons)
	}
	return Markup(k)
}

// NoKeyboard takes the keyboard below the input field away.
func NoKeyboard(m *telego.SendMessageParams) {
	m.ReplyMarkup = &telego.ReplyKeyboardRemove{RemoveKeyboard: true}
}

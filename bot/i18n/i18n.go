// Package i18n answers people in their language, with message catalogues of github.com/nicksnyder/go-i18n.
//
//	r.Outer(i18n.Translate(bundle, nil))
//	...
//	return t.Answer(ctx, i18n.TN(t, "pizzas", 3))
package i18n

import (
	"context"

	"github.com/nicksnyder/go-i18n/v2/i18n"

	"github.com/chatlane/chatlane/bot"
)

// Translate is outer middleware that finds each turn's language for [T] and [TN]: the tag that pick returns,
// else the language of the user's client, else the bundle's default. Pick may be nil, and may return an empty
// tag; its error fails the turn.
func Translate(bundle *i18n.Bundle, pick func(ctx context.Context, t *bot.Turn) (string, error)) bot.Middleware {
	return func(next bot.Handler) bot.Handler {
		return func(ctx context.Context, t *bot.Turn) error {
			var tags []string
			if pick != nil {
				tag, err := pick(ctx, t)
				if err != nil {
					return err
				}
				tags = append(tags, tag)
			}
			if from := t.From(); from != nil {
				tags = append(tags, from.LanguageCode)
			}
			bot.Put(t, i18n.NewLocalizer(bundle, tags...))
			return next(ctx, t)
		}
	}
}

// T is the message with this id in the turn's language, filled in with data, which may be nil. A message that
// no language has is its id.
func T(t *bot.Turn, id string, data any) string {
	return localize(t, &i18n.LocalizeConfig{MessageID: id, TemplateData: data})
}

// TN is T in the plural form for n, which the message has as {{.PluralCount}}.
func TN(t *bot.Turn, id string, n int) string {
	return localize(t, &i18n.LocalizeConfig{MessageID: id, PluralCount: n})
}

func localize(t *bot.Turn, message *i18n.LocalizeConfig) string {
	l, ok := bot.Get[*i18n.Localizer](t)
	if !ok {
		return message.MessageID
	}
	text, err := l.Localize(message)
	if err != nil && text == "" { // an error with a text: another language had it
		return message.MessageID
	}
	return text
}

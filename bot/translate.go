package bot

import (
	"context"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// Translate is outer middleware that finds each turn's language for [T] and [TN]:
// what pick says, else the language of the user's client, else the bundle's default.
// Pick may be nil; it returns a language tag, or nothing.
func Translate(bundle *i18n.Bundle, pick func(ctx context.Context, t *Turn) (string, error)) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, t *Turn) error {
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
			Put(t, i18n.NewLocalizer(bundle, tags...))
			return next(ctx, t)
		}
	}
}

// T is the message with an id in the language of the turn, filled in with data,
// which may be nil. A message that no language has is its id.
func T(t *Turn, id string, data any) string {
	return translated(t, &i18n.LocalizeConfig{MessageID: id, TemplateData: data})
}

// TN is T in the plural form for n, which the message has as {{.PluralCount}}.
func TN(t *Turn, id string, n int) string {
	return translated(t, &i18n.LocalizeConfig{MessageID: id, PluralCount: n})
}

func translated(t *Turn, what *i18n.LocalizeConfig) string {
	l, ok := Get[*i18n.Localizer](t)
	if !ok {
		return what.MessageID
	}
	text, err := l.Localize(what)
	if err != nil && text == "" { // with a text, it is that of another language
		return what.MessageID
	}
	return text
}

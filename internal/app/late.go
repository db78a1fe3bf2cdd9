package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/telegram/update"
)

// skipAfter is the age after which an update gets no answer, 0 for never. Forwarded updates always get one:
// their bot decides.
func (c Worker) skipAfter() func(updateType string) time.Duration {
	targets, _ := c.targets()               // validated
	ages, err := skipAges(c.Turns.SkipLate) // validated
	if len(targets) > 0 || err != nil {
		return nil
	}
	return func(updateType string) time.Duration { return ages[updateType] }
}

func skipAges(types []string) (map[string]time.Duration, error) {
	ages := make(map[string]time.Duration, len(types))
	for _, one := range types {
		if one == "none" && len(types) == 1 {
			return nil, nil
		}
		name, text, given := strings.Cut(one, "=")
		age := update.AnswerWithin(name)
		if given {
			var err error
			if age, err = time.ParseDuration(text); err != nil {
				return nil, fmt.Errorf("age of %s: %w", name, err)
			}
		}
		if age <= 0 || !update.IsKnown(name) && update.AnswerWithin(name) == 0 {
			return nil, fmt.Errorf("%q is no update type with a deadline", one)
		}
		ages[name] = age
	}
	return ages, nil
}

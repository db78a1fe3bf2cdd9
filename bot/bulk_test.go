package bot_test

import (
	"testing"

	"github.com/chatlane/chatlane/bot"
)

func TestBulkMarksItsContextAlone(t *testing.T) {
	if ctx := bot.Bulk(t.Context()); !bot.IsBulk(ctx) || bot.IsBulk(t.Context()) || bot.IsAtMostOnce(ctx) {
		t.Error("bulk is not what is marked as bulk")
	}
}

package turn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/turn"
)

func part(album, caption string) map[string]any {
	return map[string]any{
		"media_group_id": album, "caption": caption,
		"photo": []any{map[string]any{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}},
	}
}

// gallery answers an album with its captions and the number of the turn.
func gallery() *bot.Router {
	b := bot.New("b")
	b.Albums(time.Second)
	b.Message(func(ctx context.Context, t *bot.Turn) error {
		n, err := bot.Data[int](t)
		if err != nil {
			return err
		}
		if err := bot.SetStateWith(ctx, t, "g:seen", n+1); err != nil {
			return err
		}
		if len(t.Album()) == 0 {
			return t.Answer(ctx, fmt.Sprintf("%d: %s", n+1, t.Text()))
		}
		var captions []string
		for _, m := range t.Album() {
			captions = append(captions, m.Caption)
		}
		return t.Answer(ctx, fmt.Sprintf("%d: album %s", n+1, strings.Join(captions, "+")))
	})
	return b
}

func TestAlbumIsGatheredIntoOneTurn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		w := r.work(gallery())
		var ids []int64
		ids = append(ids, r.send(5, part("A", "a")), r.send(5, part("A", "b")))
		r.say(5, "between")
		r.say(6, "other lane")
		time.Sleep(500 * time.Millisecond)
		ids = append(ids, r.send(5, part("A", "c")))
		r.send(5, part("B", "x"))
		r.expect(0, "6 1: other lane") // it does not wait
		r.expect(3*time.Second, "6 1: other lane", "5 1: album a+b+c", "5 2: between", "5 3: album x")
		r.send(5, part("A", "late"))
		r.expect(2*time.Second, "6 1: other lane", "5 1: album a+b+c", "5 2: between", "5 3: album x", "5 4: album late")
		r.expectTurns("gathered", 2)
		r.expectTurns("committed", 5)
		time.Sleep(15 * time.Minute) // Telegram sends the parts again; the stream has forgotten them
		for _, id := range ids {
			r.deliver(id, 5, part("A", "again"))
		}
		r.expect(10*time.Second, "6 1: other lane", "5 1: album a+b+c", "5 2: between", "5 3: album x", "5 4: album late")
		r.expectTurns("already_done", 3)
		w.stop()
		r.empty()
	})
}

func TestAlbumComesWholeAgainAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("b")
		b.Albums(time.Second)
		dies := true
		b.Message(func(ctx context.Context, t *bot.Turn) error {
			if err := t.Answer(ctx, fmt.Sprintf("%d parts", len(t.Album()))); err != nil {
				return err
			}
			if dies {
				return hang(ctx, t)
			}
			return t.Answer(ctx, fmt.Sprintf("all %d parts", len(t.Album())))
		})
		w := r.work(b)
		r.send(5, part("A", "a"))
		r.send(5, part("A", "b"))
		r.send(5, part("A", "c"))
		time.Sleep(500 * time.Millisecond)
		w.kill() // while it gathers
		w = r.work(b)
		r.expect(6*time.Second, "5 3 parts")
		w.kill() // in mid-turn
		dies = false
		w = r.work(b)
		r.expect(6*time.Second, "5 3 parts", "5 all 3 parts")
		w.stop()
		r.empty()
	})
}

func TestFailingAlbumLeavesADeadLetterForEachPart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2, MinBackoff: 100 * time.Millisecond}
		b := bot.New("b")
		b.Albums(time.Second)
		tries := 0
		b.Message(func(context.Context, *bot.Turn) error { tries++; return errors.New("broken") }, bot.Has(bot.ContentPhoto))
		b.Message(echo)
		w := r.work(b)
		want := []int64{r.send(5, part("A", "a")), r.send(5, part("A", "b"))}
		r.say(5, "after")
		r.expect(time.Minute, "5 after")
		if got := r.dead(); !slices.Equal(got, want) || tries != 2 {
			t.Errorf("dead letters of %v after %d tries, want of %v after 2", got, tries, want)
		}
		w.stop()
		r.empty()
	})
}

func TestAlbumOfAParkedLaneIsGathered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		refused := false
		r.answer = func(_ string, params map[string]any) (int, string) {
			if params["text"] == "1: first" && !refused {
				refused = true
				return http.StatusTooManyRequests, `{"ok":false,"error_code":429,"description":"slow down","parameters":{"retry_after":20}}`
			}
			return 0, ""
		}
		w := r.work(gallery())
		r.say(5, "first")
		time.Sleep(3 * time.Second)
		r.send(5, part("A", "a"))
		r.say(5, "between")
		r.send(5, part("A", "b"))
		time.Sleep(3 * time.Second)
		r.expect(time.Minute, "5 1: first", "5 2: album a+b", "5 3: between")
		w.stop()
		r.empty()
	})
}

package bot_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chatlane/chatlane/bot"
)

// crowded is a router with 200 handlers in 20 children, each with a state or a command
// and middleware around, of which only one behind the last takes the update.
func crowded() *bot.Router {
	pass := func(next bot.Handler) bot.Handler {
		return func(ctx context.Context, t *bot.Turn) error { return next(ctx, t) }
	}
	done := func(context.Context, *bot.Turn) error { return nil }
	root := bot.New("root")
	root.Outer(pass)
	root.Inner(pass)
	for i := range 20 {
		last := i == 19
		child := bot.New(fmt.Sprint("child", i))
		for j := range 5 {
			child.Message(done, bot.Command(fmt.Sprintf("command%d_%d", i, j)))
			child.Message(done, bot.InState(bot.State(fmt.Sprintf("flow%d:state%d", i, j))), bot.Text())
		}
		if last {
			child.Message(done, bot.Text("hello"))
		}
		root.Include(child)
	}
	return root
}

// BenchmarkDispatch200 is a turn that the last of 200 handlers takes.
func BenchmarkDispatch200(b *testing.B) {
	program := compiled(b, crowded())
	b.ReportAllocs()
	for b.Loop() {
		t := message("hello")
		if err := program.Answer(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDispatchTakesFewAllocations(t *testing.T) {
	program := compiled(t, crowded())
	turn := message("/command19_4 please")
	if n := testing.AllocsPerRun(100, func() {
		if err := program.Answer(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
	}); n >= 10 {
		t.Errorf("dispatch through 200 handlers takes %v allocations, want less than 10", n)
	}
}

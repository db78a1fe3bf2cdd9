package turn

import (
	"testing"
	"time"
)

func TestSkipIsCountedOnceItIsCommitted(t *testing.T) {
	b := newBench(t, Config{})
	d := b.says(-5, "chat")
	skip := func(lose bool) error {
		tk := &task{r: b.runner, d: d, keys: b.runner.keys(d), openWait: time.Second}
		if _, err := tk.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer tk.close(t.Context(), tk.session)
		if lose {
			tk.close(t.Context(), tk.session)
		}
		_, err := tk.skip(t.Context(), outCancelled)
		return err
	}
	if err := skip(true); err == nil {
		t.Fatal("a closed session has committed")
	}
	if err := skip(false); err != nil {
		t.Fatal(err)
	}
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "chatlane_turns_total" && m.GetLabel()[0].GetValue() == outCancelled && m.GetCounter().GetValue() != 1 {
				t.Errorf("counted %v times, want once", m.GetCounter().GetValue())
			}
		}
	}
}

package partition_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/chatlane/chatlane/internal/partition"
)

// Golden: a changed value means that a running system would send the next update
// of a lane to another partition than its earlier ones.
func TestOfIsPinned(t *testing.T) {
	for _, tt := range []struct {
		key  string
		n    int
		want partition.ID
	}{
		{"42:c:100", 64, 0},
		{"42:c:-1001234567890", 64, 34},
		{"42:b:conn", 64, 57},
		{"987654321:p:5123", 16, 6},
		{"42:c:100", 1, 0},
		{"", 64, 25},
	} {
		if got := partition.Of(tt.key, tt.n); got != tt.want {
			t.Errorf("Of(%q, %d) = %d, want %d", tt.key, tt.n, got, tt.want)
		}
	}
}

func TestOfSpreadsEvenly(t *testing.T) {
	const keys, n = 64_000, 64
	var load [n]int
	for i := range keys {
		load[partition.Of(fmt.Sprintf("42:c:%d", 100_000+i), n)]++
	}
	for p, got := range load {
		if math.Abs(float64(got)-keys/n) > keys/n/5 {
			t.Errorf("partition %d has %d keys, want about %d", p, got, keys/n)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = partition.Of("123456789:c:-1001234567890", 64)
	}
}

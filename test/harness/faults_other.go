//go:build !linux

package harness

import "testing"

// Files skips the test.
func (*Process) Files(tb testing.TB, _ uint64) {
	tb.Helper()
	tb.Skip("the files of another process can be limited on Linux only")
}

// Disk is a small disk of its own.
type Disk struct{ Dir string }

// SmallDisk skips the test.
func SmallDisk(tb testing.TB, _ int) *Disk {
	tb.Helper()
	tb.Skip("a small disk can be mounted on Linux only")
	return nil
}

func (*Disk) Fill() (free func()) { return func() {} }

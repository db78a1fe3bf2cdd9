package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// Files limits the process's file descriptors.
func (p *Process) Files(tb testing.TB, n uint64) {
	tb.Helper()
	limit := syscall.Rlimit{Cur: n, Max: n}
	_, _, err := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(p.cmd.Process.Pid), syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if err != 0 {
		tb.Fatalf("limit the files of %d: %v", p.cmd.Process.Pid, err)
	}
}

// Disk is a small disk of its own.
type Disk struct {
	Dir string
	tb  testing.TB
}

// SmallDisk mounts a disk of so many bytes until the test ends; only root can.
func SmallDisk(tb testing.TB, bytes int) *Disk {
	tb.Helper()
	d := &Disk{Dir: filepath.Join(tb.TempDir(), "disk"), tb: tb}
	if err := os.Mkdir(d.Dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", d.Dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		tb.Skipf("a full disk needs a small one, and only root can mount it: %v", err)
	}
	tb.Cleanup(func() { _ = syscall.Unmount(d.Dir, syscall.MNT_DETACH) })
	return d
}

// Fill takes all room that is left, until free is called.
func (d *Disk) Fill() (free func()) {
	d.tb.Helper()
	name := filepath.Join(d.Dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		d.tb.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close()
	return func() { _ = os.Remove(name) }
}

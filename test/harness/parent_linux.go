package harness

import (
	"os/exec"
	"syscall"
)

// DieWithParent has a process end with the test, also where the test is killed.
func DieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

package harness

import (
	"os/exec"
	"syscall"
)

// DieWithParent ends a process with its test, even if the test is killed.
func DieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

//go:build unix

package simulator

import "syscall"

func socketError(fd uintptr) bool {
	code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
	return err == nil && code != 0
}

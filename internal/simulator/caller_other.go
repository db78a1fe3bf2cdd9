//go:build !unix

package simulator

func socketError(uintptr) bool { return false }

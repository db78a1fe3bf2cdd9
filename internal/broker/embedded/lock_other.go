//go:build !unix

package embedded

func lock(string) (unlock func(), err error) { return func() {}, nil }

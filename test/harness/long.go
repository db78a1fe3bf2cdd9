package harness

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// LongEnv runs the suites that take minutes.
const LongEnv = "CHATLANE_TEST_LONG"

// RunLong is the body of TestMain in a suite that takes minutes, and returns the exit code. The
// suite runs if CHATLANE_TEST_LONG is set, or if the command line asks for it: with -run, or with
// a flag of the suite's own, given as asked. Otherwise go test shows "[no tests to run]", and with
// -v the reason. go test caches that and does not see the variable: set it together with -count=1.
func RunLong(m *testing.M, asked bool) int {
	flag.Parse()
	run := flag.Lookup("test.run").Value
	if os.Getenv(LongEnv) == "" && run.String() == "" && !asked {
		fmt.Printf("skipped: this suite takes minutes; %s=1 go test -count=1 runs it\n", LongEnv)
		if err := run.Set("^$"); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	return m.Run()
}

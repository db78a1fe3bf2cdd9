package broker_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var one = broker.Topology{Partitions: 1, PinTTL: 2 * time.Second}

package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/broker/embedded"
)

// Two brokers on one store would ruin it.
func TestAFolderIsForOneServerAtATime(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(embedded.Config{Dir: dir}); !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second server: %v, want ErrInUse that names the folder", err)
	}
	first.Stop()
	second, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	second.Stop()
}

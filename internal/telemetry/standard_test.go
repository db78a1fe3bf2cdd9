package telemetry_test

import (
	"bytes"
	"log"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/telemetry"
)

// What net/http writes by itself goes through our log, and shows no token.
func TestStandardLoggerGoesThroughOurs(t *testing.T) {
	var before, ours bytes.Buffer
	log.SetOutput(&before)
	tel, err := telemetry.Start(t.Context(), telemetry.Config{AdminListen: "127.0.0.1:0", Output: &ours, Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	const token = "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	log.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=<nil>", "x/bot"+token+"/getMe")
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	text := ours.String()
	if strings.Contains(text, "AAAA") || !strings.Contains(text, "Unsolicited response") || !strings.Contains(text, `"level":"WARN"`) {
		t.Errorf("logged %q", text)
	}
	if before.Len() != 0 {
		t.Errorf("written past our log: %q", before.String())
	}
	log.Print("x")
	if before.Len() == 0 {
		t.Error("the standard logger was not given back")
	}
}

package ingress

import (
	"math/rand/v2"
	"net/http"
	"strconv"
)

// outcome is how a webhook request ended: a closed set, fit for a metric label.
type outcome uint8

const (
	accepted     outcome = iota // stored
	deadLetter                  // authentic, but cannot be read or routed: stored as a dead letter
	notFound                    // no such path, or no such bot
	wrongMethod                 // not POST
	tooLarge                    // larger than MaxBody
	forbidden                   // from an address that is not allowed
	unauthorized                // without a valid secret
	aborted                     // the sender disconnected, or was too slow, before the end of the body
	unavailable                 // not stored: the sender must repeat it
	full                        // the stream has no room: the sender must repeat it later
	crowded                     // no memory for its body now
	panicked                    // a defect of ours; the sender must repeat it
	outcomes                    // the number of outcomes
)

func (o outcome) String() string {
	return [outcomes]string{
		"accepted", "dead_letter", "not_found", "wrong_method", "too_large",
		"forbidden", "unauthorized", "aborted", "unavailable", "full", "crowded", "panicked",
	}[o]
}

func (o outcome) status() int {
	return [outcomes]int{
		http.StatusOK, http.StatusOK, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusForbidden, http.StatusUnauthorized, http.StatusBadRequest, http.StatusServiceUnavailable,
		http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusServiceUnavailable,
	}[o]
}

// answer writes the outcome. No answer has a body: Telegram would take one for a method to execute.
func (o outcome) answer(w http.ResponseWriter) {
	switch o.status() {
	case http.StatusMethodNotAllowed:
		w.Header()["Allow"] = []string{http.MethodPost}
	case http.StatusServiceUnavailable:
		// Telegram waits exactly that long; without the header its pauses double, up to two minutes.
		pause := 1
		if o == full || o == crowded {
			pause += rand.IntN(3) //nolint:gosec // spreads load, guards nothing
		}
		w.Header()["Retry-After"] = []string{strconv.Itoa(pause)}
	}
	w.WriteHeader(o.status())
}

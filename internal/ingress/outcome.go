package ingress

import "net/http"

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
	panicked                    // a defect of ours; the sender must repeat it
	outcomes                    // the number of outcomes
)

func (o outcome) String() string {
	return [outcomes]string{
		"accepted", "dead_letter", "not_found", "wrong_method", "too_large",
		"forbidden", "unauthorized", "aborted", "unavailable", "panicked",
	}[o]
}

func (o outcome) status() int {
	return [outcomes]int{
		http.StatusOK, http.StatusOK, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusForbidden, http.StatusUnauthorized, http.StatusBadRequest, http.StatusServiceUnavailable,
		http.StatusServiceUnavailable,
	}[o]
}

// answer writes the outcome. No answer has a body: Telegram would take one for a method to execute.
func (o outcome) answer(w http.ResponseWriter) {
	switch o.status() {
	case http.StatusMethodNotAllowed:
		w.Header()["Allow"] = []string{http.MethodPost}
	case http.StatusServiceUnavailable:
		// Telegram waits exactly that long; without the header its pauses double, up to two minutes.
		w.Header()["Retry-After"] = []string{"1"}
	}
	w.WriteHeader(o.status())
}

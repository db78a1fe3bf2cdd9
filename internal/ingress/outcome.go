package ingress

import "net/http"

// outcome is how a webhook request ended: a closed set, fit for a metric label.
type outcome uint8

const (
	accepted     outcome = iota // stored
	deadLetter                  // authentic, but not to be read or routed: stored apart
	notFound                    // no such path, or no such bot
	wrongMethod                 // not POST
	tooLarge                    // over the cap
	forbidden                   // from an address that is not allowed
	unauthorized                // without a right secret
	aborted                     // the sender went away, or was too slow, in mid-body
	unavailable                 // not stored: the sender must come again
	panicked                    // a defect here; the sender must come again
	outcomes                    // how many there are
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

// answer writes the outcome. No answer has a body: Telegram would take one for a
// method to execute.
func (o outcome) answer(w http.ResponseWriter) {
	switch o.status() {
	case http.StatusMethodNotAllowed:
		w.Header()["Allow"] = []string{http.MethodPost}
	case http.StatusServiceUnavailable:
		// Telegram honours it exactly; without it the pauses double up to two minutes.
		w.Header()["Retry-After"] = []string{"1"}
	}
	w.WriteHeader(o.status())
}

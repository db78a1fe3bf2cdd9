package simulator

import "net/http"

func (t *Telegram) control(w http.ResponseWriter, _ *http.Request, _ string) {
	refuse(w, &apiError{code: 404, what: "Not Found"})
}

package ingress

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/chatlane/chatlane/internal/config"
)

// headerSecret is in canonical spelling.
const headerSecret = "X-Telegram-Bot-Api-Secret-Token" //nolint:gosec // the header's name is public

const maxSecret = 256

type digests [][sha256.Size]byte

func newDigests(secrets []config.Secret) digests {
	var d digests
	for _, s := range secrets {
		d = append(d, sha256.Sum256([]byte(s.Reveal())))
	}
	return d
}

// match compares with all secrets, by digest and in constant time, so that the response time reveals nothing.
func (d digests) match(r *http.Request) bool {
	values := r.Header[headerSecret]
	if len(values) != 1 || len(values[0]) > maxSecret {
		return false
	}
	var text [maxSecret]byte
	digest := sha256.Sum256(text[:copy(text[:], values[0])])
	match := 0
	for i := range d {
		match |= subtle.ConstantTimeCompare(digest[:], d[i][:])
	}
	return match == 1
}

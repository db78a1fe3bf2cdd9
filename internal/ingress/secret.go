package ingress

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/chatlane/chatlane/internal/config"
)

// headerSecret carries the secret, in the form that http.Header is keyed by.
const headerSecret = "X-Telegram-Bot-Api-Secret-Token" //nolint:gosec // the header's name is public

// maxSecret is the longest secret that Telegram accepts, in bytes.
const maxSecret = 256

// digests are those of the secrets that one bot's requests may carry.
type digests [][sha256.Size]byte

func newDigests(secrets []config.Secret) digests {
	var d digests
	for _, s := range secrets {
		d = append(d, sha256.Sum256([]byte(s.Reveal())))
	}
	return d
}

// match reports whether the request carries one of the secrets. It compares all, by
// digest and in constant time, so that an answer's delay discloses nothing of them.
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

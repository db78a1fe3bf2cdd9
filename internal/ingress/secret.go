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

// lock accepts the secrets of one bot.
type lock struct{ digests [][sha256.Size]byte }

func newLock(secrets []config.Secret) lock {
	var l lock
	for _, s := range secrets {
		l.digests = append(l.digests, sha256.Sum256([]byte(s.Reveal())))
	}
	return l
}

// opens says whether the request carries one of the secrets. All are compared, by
// digest and in constant time, so that an answer's delay tells nothing of them.
func (l lock) opens(r *http.Request) bool {
	values := r.Header[headerSecret]
	if len(values) != 1 || len(values[0]) > maxSecret {
		return false
	}
	var text [maxSecret]byte
	digest := sha256.Sum256(text[:copy(text[:], values[0])])
	match := 0
	for i := range l.digests {
		match |= subtle.ConstantTimeCompare(digest[:], l.digests[i][:])
	}
	return match == 1
}

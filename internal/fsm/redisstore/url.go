package redisstore

import (
	"errors"
	"strings"
)

// errURL says nothing of the URL itself: it may carry a password.
var errURL = errors.New("redis URL: want redis://host:6379/0, rediss://... or redis+cluster://host:6379?addr=host2:6379")

// cutCluster splits the URL of a cluster into the scheme of its nodes and the rest.
func cutCluster(url string) (scheme, rest string, ok bool) {
	if rest, ok := strings.CutPrefix(url, "redis+cluster://"); ok {
		return "redis://", rest, true
	}
	rest, ok = strings.CutPrefix(url, "rediss+cluster://")
	return "rediss://", rest, ok
}

package ingress

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/chatlane/chatlane/internal/lifecycle"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

const (
	minPause = 250 * time.Millisecond
	maxPause = 30 * time.Second
)

type failures struct {
	pauses *backoff.ExponentialBackOff
	reason string
}

// add returns how long to wait after err, and whether err differs from the previous one.
func (f *failures) add(err error) (pause time.Duration, news bool) {
	if f.pauses == nil {
		f.pauses = lifecycle.Backoff{First: minPause, Most: maxPause}.Intervals()
	}
	news, f.reason = f.reason != err.Error(), err.Error()
	pause = f.pauses.NextBackOff()
	if errors.Is(err, api.ErrUnauthorized) { // only another token helps
		pause = maxPause
	}
	return max(pause, api.RetryAfter(err)), news
}

func (f *failures) end() bool {
	was := f.reason != ""
	*f = failures{}
	return was
}

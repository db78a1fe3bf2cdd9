package queue

import "github.com/nats-io/nats.go"

const scopeName = "github.com/chatlane/chatlane/internal/queue"

// Carrier gives a propagator NATS headers in lower case, as W3C has them; nats.Header.Set would change that.
type Carrier nats.Header

func (c Carrier) Get(key string) string { return HeaderValue(nats.Header(c), key) }

func (c Carrier) Set(key, value string) { c[key] = []string{value} }

func (c Carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

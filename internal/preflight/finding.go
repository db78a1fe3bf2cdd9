// Package preflight holds what every check of a server's settings reports.
package preflight

// Finding is a server's setting under which a law would not hold, or that could be better.
type Finding struct {
	Server  string `json:"server"`  // "nats", or "redis" with its address
	Setting string `json:"setting"` // as the server's own documentation spells it
	Have    string `json:"have"`
	Set     string `json:"set"` // what would be right
	Why     string `json:"why"`
	Law     int    `json:"law"` // the law that does not hold; 0: advice
}

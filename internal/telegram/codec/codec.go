// Package codec sets encoding/json as telego's codec. Telego's own choice depends on build tags, and its
// default decodes bad updates very slowly.
package codec

import (
	"encoding/json"

	"github.com/mymmrac/telego"
)

//nolint:gochecknoinits // the codec is a global of telego's, to be set before its first use
func init() {
	telego.SetJSONMarshal(json.Marshal)
	telego.SetJSONUnmarshal(json.Unmarshal)
}

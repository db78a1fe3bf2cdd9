// Package config reads command lines and settings with github.com/alecthomas/kong. Tags describe the
// settings; the package knows no Config.
//
//	type Config struct {
//		Listen string        `env:"CHATLANE_LISTEN" default:":8080" help:"Address to listen on."`
//		Max    int64         `env:"CHATLANE_MAX" default:"1MiB" unit:"bytes" help:"Largest body."`
//		URL    string        `env:"CHATLANE_URL" secret:"true" help:"Address; may hold a password."`
//		NATS   broker.Config `embed:"" prefix:"nats-" group:"NATS"`
//	}
//
// What must stay true: a flag wins over the environment, the environment over the YAML file, the file over
// the default; all problems are reported at once, a line each, with the variable and what would be right; no
// line shows a secret.
//
// Tags beyond kong's own: env:"CHATLANE_X" also makes the flag --x and the key x of the file, unless name
// says otherwise; secret:"true" hides the value and allows CHATLANE_X_FILE, --x-file and x_file; unit:"bytes"
// takes 512, 64KiB or 1GB; unit:"limit" turns 0 into [NoLimit]; min:"1" refuses smaller whole numbers.
//
// The package works around kong in four places:
//
//   - kong lets a file win over the environment, reads the process's own environment, and counts an empty
//     variable as set. So a resolver behind the file's takes its env tags over (resolve.go).
//   - kong stops at the first wrong value. So each field's mapper notes the problem and goes on (value.go).
//   - kong stops at the first Validate that fails. So all are called here (hooks.go).
//   - kong stops at the first unknown flag, since a value may follow. So the flag, with the value that seems to
//     be its own, is removed and the rest read again (load.go).
//
// As in kong, no flag may stand between a command's arguments.
package config

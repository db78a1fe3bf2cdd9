// Package config reads command lines and settings, on github.com/alecthomas/kong. It
// fills Config structs and knows none of them: tags say everything.
//
//	type Config struct {
//		Listen string        `env:"CHATLANE_LISTEN" default:":8080" help:"Address to listen on."`
//		Grace  time.Duration `env:"CHATLANE_GRACE" default:"25s" help:"Time to finish in."`
//		Max    int64         `env:"CHATLANE_MAX" default:"1MiB" unit:"bytes" help:"Largest body."`
//		URL    string        `env:"CHATLANE_URL" secret:"true" help:"Address; may hold a password."`
//		NATS   broker.Config `embed:"" prefix:"nats-" group:"NATS"`
//	}
//
// What the package keeps true: a flag wins over the environment, the environment over the
// YAML file, the file over the default; everything that is wrong is reported in one go, a
// line each, with the name of the variable and what would be right; and no line carries
// the value of a secret.
//
// kong's own tags hold: help, default, embed, prefix, group, cmd, arg, name, aliases. The
// further ones: env:"CHATLANE_X" also makes the flag --x and the key x of the YAML file,
// unless name says otherwise; secret:"true" hides the value and allows CHATLANE_X_FILE,
// --x-file and x_file; unit:"bytes" takes 512, 64KiB or 1GB; unit:"limit" turns 0 into
// [NoLimit]; min:"1" refuses less in a whole number.
//
// Four things are done here because kong does them otherwise:
//
//   - kong lets a resolver, and so a file, win over the environment, reads the process's
//     own environment, and counts an empty variable as set. So its env tags are taken over
//     by a resolver that comes after that of the file (resolve.go).
//   - kong stops at the first wrong value. So each field's mapper is wrapped in one that
//     notes the problem and goes on (value.go).
//   - kong stops at the first Validate that fails. So they are all called here (hooks.go).
//   - kong stops at the first flag that it does not know, since it cannot tell whether a
//     value follows. So that argument is taken away, with the value that seems to be its
//     own, and the rest is read again (load.go).
//
// And one thing is as kong has it: the arguments of a command follow one another; no flag
// may stand between them.
package config

package config

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// width is that of the help text, in letters.
const width = 100

// help lists the settings: name, flag, default, meaning.
func (c Command) help(settings []*setting) string {
	var b strings.Builder
	usage := "[--name=value]..."
	if c.Args != "" {
		usage += " " + c.Args
	}
	fmt.Fprintf(&b, "%s\n\nUsage: %s %s\n\n", wrap(c.About, ""), c.Name, usage)
	b.WriteString(wrap("A setting has one name: CHATLANE_NATS_URL in the environment is --nats-url as a flag and "+
		"nats_url in the YAML file that CHATLANE_CONFIG or --config names. The environment wins over flags, "+
		"flags win over the file, and an empty variable counts as none. What is marked secret can be read from "+
		"a file instead: CHATLANE_BOT_TOKEN_FILE.", ""))
	b.WriteString("\n\n" + fileName + "\n" + wrap("YAML file of settings.", "    ") + "\n")
	for _, s := range settings {
		b.WriteString(s.name)
		if s.flag != "" {
			fmt.Fprintf(&b, ", --%s", s.flag)
		}
		if s.def != "" {
			fmt.Fprintf(&b, " (%s)", s.def)
		}
		if s.secret {
			b.WriteString(" [secret]")
		}
		b.WriteString("\n" + wrap(s.help, "    ") + "\n")
	}
	if c.Notes != "" {
		b.WriteString("\n" + wrap(c.Notes, "") + "\n")
	}
	return b.String()
}

// wrap breaks text into lines, each indented.
func wrap(text, indent string) string {
	var b strings.Builder
	line := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			b.WriteString(indent)
			line = len(indent)
		case line+1+len(word) > width:
			b.WriteString("\n" + indent)
			line = len(indent)
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += len(word)
	}
	return b.String()
}

// version is what the binary was built from.
func (c Command) version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return c.Name + " " + Version(info) + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
}

// Version is the module's version and, where it was built from a checkout, the
// commit: "v1.2.0", "devel 1a2b3c4d5e6f, changed".
func Version(info *debug.BuildInfo) string {
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			version += " " + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			version += ", changed"
		}
	}
	return version
}

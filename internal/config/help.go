package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// errPrinted ends a run whose flag asked for a text instead.
var errPrinted = errors.New("what was asked for is printed")

// common are the flags of every program.
type common struct {
	Help       helpFlag       `short:"h" help:"Show this help."`
	Version    versionFlag    `help:"Show the version."`
	Completion completionFlag `placeholder:"SHELL" help:"Print a completion script for bash, zsh or fish."`
	Config     string         `placeholder:"FILE" help:"YAML file of settings (CHATLANE_CONFIG)."`
}

// options are what a program needs besides those of the loader.
func (p Program) options(l *loader) []kong.Option {
	return []kong.Option{
		kong.Name(p.Name), kong.Description(p.About), kong.Writers(p.Stdout, p.Stderr),
		kong.NoDefaultHelp(), kong.Embed(&l.common), kong.Bind(p),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ValueFormatter(l.describe),
		kong.Help(p.help),
		kong.Resolvers(kong.ResolverFunc(l.fromFile), kong.ResolverFunc(l.fromEnvironment), kong.ResolverFunc(l.fromFileFlag)),
	}
}

// describe adds a setting's variables to its help.
func (l *loader) describe(v *kong.Value) string {
	if s := l.settings[v]; s != nil {
		return v.Help + " (" + strings.Join(s.names(), ", ") + ")"
	}
	return v.Help
}

// help is kong's, with what holds for all settings below those of a command.
func (p Program) help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	if chosen := ctx.Selected(); chosen == nil && len(ctx.Model.Children) > 0 || chosen != nil && len(chosen.Flags) == 0 {
		return nil
	}
	_, err := io.WriteString(ctx.Stdout, `
A setting has one name: --nats-url as a flag, CHATLANE_NATS_URL in the environment, nats_url in
the YAML file. A flag wins over the environment, the environment over the file, the file over the
default. An empty variable counts as none. A secret may be named by file: CHATLANE_NATS_URL_FILE.
`)
	return err
}

type helpFlag bool

// BeforeReset prints the help of the program or command.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errPrinted
}

// release is the version of an image, whose build has no checkout to take it from: the
// Dockerfile sets it with -ldflags -X.
var release string //nolint:gochecknoglobals // the linker sets no other kind of thing

type versionFlag bool

// BeforeReset prints what the binary was built from.
func (versionFlag) BeforeReset(ctx *kong.Context, p Program) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintln(ctx.Stdout, p.Name, cmp.Or(release, Version(info)), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return errors.Join(errPrinted, err)
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

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

var errPrinted = errors.New("what was asked for is printed")

type common struct {
	Help       helpFlag       `short:"h" help:"Show this help."`
	Version    versionFlag    `help:"Show the version."`
	Completion completionFlag `placeholder:"SHELL" help:"Print a completion script for bash, zsh or fish."`
	Config     string         `placeholder:"FILE" help:"YAML file of settings (CHATLANE_CONFIG)."`
}

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

func (l *loader) describe(v *kong.Value) string {
	if s := l.settings[v]; s != nil {
		return v.Help + " (" + strings.Join(s.names(), ", ") + ")"
	}
	return v.Help
}

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

func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errPrinted
}

// release is set by the Dockerfile with -ldflags -X, since an image's build has no checkout.
var release string //nolint:gochecknoglobals // the linker sets no other kind of thing

type versionFlag bool

func (versionFlag) BeforeReset(ctx *kong.Context, p Program) error {
	_, err := fmt.Fprintln(ctx.Stdout, p.Name, Release(), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return errors.Join(errPrinted, err)
}

// Release is the version of this program, as --version prints it.
func Release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return cmp.Or(release, Version(info))
}

// Version is the module's version and, if built from a checkout, the commit: "devel 1a2b3c4d5e6f, changed".
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

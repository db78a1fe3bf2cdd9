package config

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionFlag prints a shell's script. kong has none, and the libraries that add scripts need old versions
// of kong and unmaintained packages.
type completionFlag string

func (completionFlag) BeforeReset(ctx *kong.Context, trace *kong.Path) error {
	shell := fmt.Sprint(ctx.FlagValue(trace.Flag))
	var err error
	switch shell {
	case "bash":
		err = bash(ctx.Stdout, ctx.Model)
	case "zsh":
		_, err = io.WriteString(ctx.Stdout, "autoload -U +X bashcompinit && bashcompinit\n")
		err = errors.Join(err, bash(ctx.Stdout, ctx.Model))
	case "fish":
		err = fish(ctx.Stdout, ctx.Model)
	default:
		return fmt.Errorf("--completion: %q is no shell that is known; name bash, zsh or fish (%w)", shell, ErrUsage)
	}
	return errors.Join(errPrinted, err)
}

func bash(w io.Writer, app *kong.Application) error {
	function := "_" + strings.ReplaceAll(app.Name, "-", "_")
	var cases strings.Builder
	nodes := leavesFirst(app.Node)
	for _, n := range nodes {
		fmt.Fprintf(&cases, "    %q*) words=%q ;;\n", " "+strings.TrimSpace(n.Path()), strings.Join(words(n), " "))
	}
	_, err := fmt.Fprintf(w, `%[1]s() {
  local word path="" words=""
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="$path $word" ;; esac
  done
  case "$path " in
%[2]s  esac
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F %[1]s %[3]s
`, function, cases.String(), app.Name)
	return err
}

func fish(w io.Writer, app *kong.Application) error {
	var out strings.Builder
	line := func(n *kong.Node, what, help string) {
		seen := "__fish_use_subcommand"
		if n.Type == kong.CommandNode {
			seen = "__fish_seen_subcommand_from " + n.Name
		}
		help, _, _ = strings.Cut(help, ". ")
		fmt.Fprintf(&out, "complete -c %s -n %q %s -d %q\n", app.Name, seen, what, strings.TrimSuffix(help, "."))
	}
	for _, n := range leavesFirst(app.Node) {
		for _, child := range n.Children {
			line(n, "-f -a "+child.Name, child.Help)
		}
		for _, f := range visible(n) {
			line(n, "-l "+f.Name, f.Help)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func leavesFirst(n *kong.Node) []*kong.Node {
	var all []*kong.Node
	for _, child := range n.Children {
		all = append(all, leavesFirst(child)...)
	}
	return append(all, n)
}

func words(n *kong.Node) []string {
	var all []string
	for _, child := range n.Children {
		all = append(all, child.Name)
	}
	for _, f := range visible(n) {
		all = append(all, "--"+f.Name)
	}
	return all
}

func visible(n *kong.Node) []*kong.Flag {
	of := n
	if n.DefaultCmd != nil {
		of = n.DefaultCmd
	}
	return slices.Concat(of.AllFlags(true)...)
}

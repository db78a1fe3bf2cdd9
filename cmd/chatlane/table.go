package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/chatlane/chatlane/internal/config"
)

// table prints rows. People get aligned columns with a heading, bold where the terminal can and NO_COLOR is
// not set.
type table struct {
	out  io.Writer
	bold bool
	text bytes.Buffer
	w    *tabwriter.Writer // nil: columns are separated by tabs, for programs
}

// aligned is a table for people, whatever it is printed to.
func aligned(p config.Program, heads ...string) *table {
	t := &table{out: p.Stdout, bold: isTerminal(p.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	t.w = tabwriter.NewWriter(&t.text, 0, 0, 2, ' ', 0)
	t.row(heads...)
	return t
}

// list is a table for people on a terminal; elsewhere it has tabs and no heading.
func list(p config.Program, heads ...string) *table {
	if isTerminal(p.Stdout) {
		return aligned(p, heads...)
	}
	return &table{out: p.Stdout}
}

// row adds a row. Cells are shown quoted.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = quoted(cell)
	}
	line := strings.Join(cells, "\t") + "\n"
	if t.w == nil {
		_, _ = t.text.WriteString(line)
		return
	}
	_, _ = io.WriteString(t.w, line)
}

// flush prints the rows so far. Columns are aligned among them.
func (t *table) flush() error {
	if t.w != nil {
		_ = t.w.Flush() // into memory
	}
	text := t.text.String()
	if head, rows, ok := strings.Cut(text, "\n"); ok && t.bold {
		text = "\x1b[1m" + head + "\x1b[0m\n" + rows
	}
	t.text.Reset()
	t.bold = false // further rows have no heading
	if _, err := io.WriteString(t.out, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

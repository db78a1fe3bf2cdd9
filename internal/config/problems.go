package config

import (
	"errors"
	"fmt"
	"strings"
)

// Problems gathers what is wrong with a Config, a line each: the variable and what would be right. The zero
// value is ready to use.
type Problems struct{ all []error }

// Must adds "name: right" unless holds is true.
func (p *Problems) Must(name string, holds bool, right string) {
	if !holds {
		p.all = append(p.all, fmt.Errorf("%s: %s", name, right))
	}
}

// Named adds err after the name of its variable; nil adds nothing.
func (p *Problems) Named(name string, err error) {
	if err != nil {
		p.all = append(p.all, fmt.Errorf("%s: %w", name, err))
	}
}

// Add adds an error that names its variable itself; nil adds nothing.
func (p *Problems) Add(err error) { p.all = append(p.all, err) }

// Err joins the problems; nil where there are none.
func (p *Problems) Err() error { return errors.Join(p.all...) }

// Error is everything that is wrong with the settings.
type Error struct {
	Problems []string // a line each
}

// Error joins the problems, a line each.
func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// Lines splits an error such as errors.Join makes.
func Lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

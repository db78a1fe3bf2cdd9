package main

import (
	"context"
	"crypto/rand"
	"fmt"
)

// kitchen takes an order and gives its number. Where it is down it returns a
// *bot.UnavailableError: the conversation then waits for it.
type kitchen func(ctx context.Context, o order) (number string, err error)

// onPaper is a kitchen that reads standard output.
func onPaper(_ context.Context, o order) (string, error) {
	number := rand.Text()[:4]
	_, err := fmt.Printf("order %s: %s to %s\n", number, o.Kind, o.Address)
	return number, err
}

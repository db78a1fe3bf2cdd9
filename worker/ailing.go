package worker

import (
	"context"
	"log/slog"
	"time"
)

// The state store's pulse: how often it is felt, how long an answer may take, and after
// how many misses, one after the other, this worker is thought to be cut off from it.
const (
	pulseEvery  = time.Second
	pulseWithin = time.Second
	pulseMisses = 2
)

// feel watches over the state store. While this worker does not reach it, workers that do should
// have its partitions; if nobody does, nothing moves. It ends with ctx.
func (a *assembly) feel(ctx context.Context, ail func(bool)) {
	if a.pulse == nil {
		return
	}
	every := time.NewTicker(pulseEvery)
	defer every.Stop()
	for missed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		bounded, cancel := context.WithTimeout(ctx, pulseWithin)
		err := a.pulse(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && missed >= pulseMisses:
			a.tel.Log.InfoContext(ctx, "state store answers again: partitions may come back")
			ail(false)
			missed = 0
		case err == nil:
			missed = 0
		default:
			if missed++; missed == pulseMisses {
				a.tel.Log.WarnContext(ctx, "state store does not answer: partitions go to workers that reach it, if any does", slog.String("error", err.Error()))
				ail(true)
			}
		}
	}
}

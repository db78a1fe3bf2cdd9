package api

import (
	"net/http/httptrace"
	"sync/atomic"
)

// Wire tells whether the server may have a whole request: from the moment that it has a connection until writing
// has failed. The connection's writer may still be at work when the call gives up. Safe for concurrent use.
type Wire struct{ state atomic.Int32 }

const (
	wireIdle int32 = iota
	wireBusy
	wireFailed
)

// Trace must be in the request's context.
func (w *Wire) Trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { w.state.Store(wireBusy) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err != nil {
				w.state.Store(wireFailed)
			}
		},
	}
}

// Busy reports that the server may have the request.
func (w *Wire) Busy() bool { return w.state.Load() == wireBusy }

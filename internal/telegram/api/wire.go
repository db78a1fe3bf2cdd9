package api

import (
	"net/http/httptrace"
	"sync/atomic"
)

// Wire watches whether the server can have got a request whole. It counts as sent from
// the moment that it has a connection, until writing it has failed: the connection's
// writer may still be at work when the call gives up. Safe for concurrent use.
type Wire struct{ state atomic.Int32 }

const (
	wireIdle int32 = iota
	wireBusy
	wireFailed
)

// Trace is what the request's context has to carry.
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

// Busy tells that the server may have the request.
func (w *Wire) Busy() bool { return w.state.Load() == wireBusy }

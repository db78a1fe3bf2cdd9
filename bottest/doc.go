// Package bottest tests a bot with simulated people, in process and without any server.
//
//	world := bottest.New(t, router)
//	ann := world.Person("Ann")
//	ann.Say("/order")
//	ann.Expect("How many?")
//	ann.Say("2")
//	ann.Expect("Ordered: 2.")
//
// What people do is answered before their method returns, by the rules of the real
// thing: one turn at a time in a chat, state kept only if the turn succeeds, timers
// that fire when [World.Advance] reaches them. A turn that fails fails the test, unless
// it happens within [World.Fails]. A world is safe for concurrent use: each person or
// group may act in a goroutine of its own.
package bottest

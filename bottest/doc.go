// Package bottest tests a bot with simulated people, in process and without any server.
//
//	world := bottest.New(t, router)
//	ann := world.Person("Ann")
//	ann.Say("/order")
//	ann.Expect("How many?")
//
// A person's method returns when the bot has answered. The rules are a worker's: one turn at a time in a
// chat, state is kept only if the turn succeeds, timers fire when [World.Advance] reaches them. A failed turn
// fails the test, except within [World.Fails]. A world is safe for concurrent use: each person may act in a
// goroutine of their own.
package bottest

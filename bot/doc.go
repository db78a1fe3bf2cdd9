// Package bot is what the author of a bot reads and writes: a router of handlers, filters and middleware, and
// conversations made of states.
//
// A [Router] holds handlers. Package worker runs it against Telegram, package bottest against simulated
// people. One [Turn] is one update of one chat. It goes through the router in this order, up to the first
// handler that takes it:
//
//	outer middleware of the router        runs even where nothing matches
//	  guards of the router                refuse the whole subtree
//	    handlers in order of registration
//	      filters, left to right
//	        inner middleware, root first
//	          handler
//	    children in order of inclusion, each the same way
//	error handlers of the router          see what its subtree returned
//
// What holds for every turn:
//
//   - Turns of one conversation never overlap. All that a turn changes (state, data, timer) is committed with
//     the turn or not at all.
//   - A handler that fails leaves no change, even if an error handler settles the error.
//   - Filters, hooks and handlers see what was written before them in the same turn.
//   - A [Router] is wired first and then used. Once compiled it refuses to change, except for
//     [Router.SetEnabled].
//
// A conversation is at a [State], or at [None]. States are constants; the part before the last colon names
// their flow:
//
//	const quantity bot.State = "order:quantity"
package bot

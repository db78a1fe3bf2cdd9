// Package bot is what the author of a bot reads and writes: a router of handlers,
// filters, middleware, and conversations made of states.
//
// A [Router] holds handlers. [Program.Answer] runs one [Turn], which is one update
// of one chat, in this order, and stops at the first handler that takes it:
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
// What it keeps true:
//
//   - Turns of one conversation never overlap, and all that a turn changes (state,
//     data, timer) is buffered and committed with it, or not at all.
//   - A handler that fails leaves no change behind, also when an error handler
//     takes the error.
//   - States, hooks, filters and error handlers see what was written before them in
//     the same turn, never a stale copy.
//   - A [Router] is wired first and then used: after its first turn it refuses to
//     change, except for [Router.SetEnabled].
//
// A conversation is at a [State], or at none. States are constants whose part before
// the last colon names their flow:
//
//	const quantity bot.State = "order:quantity"
package bot

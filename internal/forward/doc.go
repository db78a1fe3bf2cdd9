// Package forward hands updates to a bot that listens to a webhook of its own, written
// with any framework in any language: the place of the handlers is taken by a POST.
//
// What it keeps true: the bot gets the updates of a lane one after another, in the
// lane's order, each until it has answered with 2xx. Its answer is kept in the turn's
// journal, so the bot is not asked again because a call, the commit or the store
// failed after it had answered. The call that the answer may carry ("reply into
// webhook") is made through the turn's own calls: limited, journaled, not repeated.
//
// What is left: a bot that worked on an update and could not say so (it died, or the
// worker did before it had noted the answer) gets the update again. It can tell a
// repetition by [HeaderUpdate].
//
//	turn -> POST update ----------> bot
//	        journal <-- 2xx [call] -'
//	        call, journaled -> Bot API
//	        commit: nothing but the cursor
package forward

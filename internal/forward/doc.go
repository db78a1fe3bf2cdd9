// Package forward hands updates to a bot that listens to a webhook of its own, in any framework and language:
// a POST takes the place of the handlers.
//
// What must stay true: the bot gets the updates of a lane in order, one at a time, each until it has answered
// with 2xx. The answer is kept in the turn's journal, so the bot is not asked again when a call, the commit
// or the store fails afterwards. The call that an answer may carry ("reply into webhook") is a call of the
// turn: limited, journaled, not repeated.
//
// What is left: a bot that worked on an update but could not say so (the bot died, or the worker before it
// had noted the answer) gets the update again. [HeaderUpdate] shows a repetition.
package forward

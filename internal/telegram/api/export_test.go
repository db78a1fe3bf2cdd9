package api

// What tests outside need.
var (
	Methods   = methods
	IsSending = isSending
)

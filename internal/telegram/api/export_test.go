package api

// What tests outside need.
var (
	Methods = methods
	KindOf  = kindOf
)

package redisstore

import "github.com/chatlane/chatlane/internal/fsm"

func LaneKey(k fsm.Keys) string  { return newNames(k).lane }
func StateKey(k fsm.Keys) string { return newNames(k).state }

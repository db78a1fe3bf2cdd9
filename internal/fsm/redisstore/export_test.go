package redisstore

import "github.com/chatlane/chatlane/internal/fsm"

func LaneKey(k fsm.Keys) string  { return newNames("chatlane", k).lane }
func StateKey(k fsm.Keys) string { return newNames("chatlane", k).state }

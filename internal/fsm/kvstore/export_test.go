package kvstore

import "github.com/chatlane/chatlane/internal/fsm"

func EncodeKey(k string) string  { return encodeKey(k) }
func LaneKey(k fsm.Keys) string  { return laneKey(k) }
func StateKey(k fsm.Keys) string { return stateKey(k) }

func WithHolder(raw []byte, holder string) []byte {
	r := mustDecode(raw)
	r.Holder = holder
	return r.encode()
}

func WithCursor(raw []byte, stream int64, cursor uint64) []byte {
	r := mustDecode(raw)
	r.Stream, r.Cursor = stream, cursor
	return r.encode()
}

func mustDecode(raw []byte) record {
	r, err := decode(raw)
	if err != nil {
		panic(err)
	}
	return r
}

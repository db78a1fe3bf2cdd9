package fsmtest

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Bench measures whole turns. roundTrips counts what the store has asked its server for so far; nil if it has none.
func Bench(b *testing.B, s fsm.Store, roundTrips func() uint64) {
	b.Helper()
	for name, keys := range map[string]func(lane string) fsm.Keys{
		"own_state": func(lane string) fsm.Keys {
			return fsm.Keys{Lane: lane, Home: lane, State: lane + ":u:7", StateHome: lane}
		},
		"global_user": func(lane string) fsm.Keys {
			user := "42:u:" + lane[len("42:c:"):]
			return fsm.Keys{Lane: lane, Home: lane, State: user, StateHome: user, Shared: true}
		},
	} {
		b.Run(name+"/one_lane", func(b *testing.B) { oneLane(b, s, keys("42:c:1"), roundTrips) })
		b.Run(name+"/many_lanes", func(b *testing.B) { manyLanes(b, s, keys) })
	}
}

func oneLane(b *testing.B, s fsm.Store, k fsm.Keys, roundTrips func() uint64) {
	b.Helper()
	seq := lastSeq(b, s, k)
	b.ReportAllocs()
	before := uint64(0)
	if roundTrips != nil {
		before = roundTrips()
	}
	for b.Loop() {
		seq++
		turn(b, s, k, at(seq))
	}
	if roundTrips != nil {
		b.ReportMetric(float64(roundTrips()-before)/float64(b.N), "roundtrips/op")
	}
}

func manyLanes(b *testing.B, s fsm.Store, keys func(lane string) fsm.Keys) {
	b.Helper()
	var lanes atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		k := keys("42:c:" + strconv.FormatInt(100+lanes.Add(1), 10))
		seq := lastSeq(b, s, k)
		for pb.Next() {
			seq++
			turn(b, s, k, at(seq))
		}
	})
}

// lastSeq is where an earlier round of the benchmark left the lane.
func lastSeq(b *testing.B, s fsm.Store, k fsm.Keys) uint64 {
	b.Helper()
	admin, ok := s.(fsm.Admin)
	if !ok {
		return 0
	}
	r, err := admin.Peek(b.Context(), k)
	if err != nil {
		b.Fatal(err)
	}
	return r.Cursor
}

func turn(b *testing.B, s fsm.Store, k fsm.Keys, p fsm.Position) {
	b.Helper()
	session, err := s.Open(b.Context(), k, p)
	if err != nil {
		b.Error(err)
		return
	}
	if err := session.Record(b.Context(), 0, []byte(`{"method":"sendMessage","result":{"message_id":4711,"date":1700000000}}`)); err != nil {
		b.Error(err)
	}
	session.SetState("tally:count")
	session.SetData(strconv.AppendUint(nil, p.Seq, 10))
	if err := session.Commit(b.Context()); err != nil {
		b.Error(err)
	}
}

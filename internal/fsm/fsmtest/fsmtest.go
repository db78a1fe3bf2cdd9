// Package fsmtest holds every store to the promises of package fsm.
package fsmtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

type Store interface {
	fsm.Store
	fsm.Admin
}

type Process struct {
	Store     Store
	Wire      *Wire  // what its connections go through; nil if nothing can be cut
	Cut, Heal func() // an outage, if there is no wire
}

func (p Process) cut() {
	if p.Wire != nil {
		p.Wire.Cut()
	} else {
		p.Cut()
	}
}

func (p Process) heal() {
	if p.Wire != nil {
		p.Wire.Heal()
	} else {
		p.Heal()
	}
}

func (p Process) cuts() bool { return p.Wire != nil || p.Cut != nil }

// Harness is one kind of store, and what a test does behind its back.
type Harness struct {
	// Process connects one more process to the same records.
	Process func(t *testing.T, cfg Config) Process
	// Steal puts another holder's value into the lane's lock.
	Steal func(t *testing.T, k fsm.Keys)
	// StealState does so with a separate state's lock.
	StealState func(t *testing.T, k fsm.Keys)
	// MoveCursor changes what the lane was last committed at, and leaves the lock alone.
	MoveCursor func(t *testing.T, k fsm.Keys, stream int64, cursor uint64)
	// Restart stops the server as a crash does and starts it again; nil if there is none.
	Restart  func(t *testing.T)
	TwoSteps bool // a commit to a separate state has a moment between two writes
	// Keys counts what is stored about a lane and its state.
	Keys func(t *testing.T) int
}

type Config struct {
	LockTTL    time.Duration
	SeenMax    int
	SeenWindow time.Duration
}

// lockTTL is short where a case waits for its end, and long where nothing may end.
const (
	lockTTL     = time.Second
	lockTTLLong = time.Minute
)

// Run runs every case, some at once: each has its own records.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c(t, open(t))
		})
	}
}

// RunOneByOne is Run for stores that share their records.
func RunOneByOne(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) { c(t, open(t)) })
	}
}

func cases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"WhatIsCommittedIsLoaded":              committedIsLoaded,
		"NothingIsWrittenBeforeCommit":         bufferedUntilCommit,
		"FinishedConversationsVanish":          finishedVanish,
		"UpdateWithoutStateMovesTheCursor":     withoutState,
		"ClosedSessionsHaveNoEffect":           closedHasNoEffect,
		"DeadLettersMoveTheCursorAlone":        cursorAlone,
		"DoneByCursor":                         doneByCursor,
		"DoneBySeenWithinTheWindow":            doneBySeen,
		"OneCommitDoesSeveralUpdates":          doneTogether,
		"SeenIdsAreBounded":                    seenBounded,
		"NewStreamBeginsAnew":                  newStream,
		"OlderStreamIsRefused":                 olderStream,
		"JournalIsWrittenThroughAndRemoved":    journalThrough,
		"JournalOfAnotherPositionIsIgnored":    journalOfOther,
		"JournalOutlivesASkippedUpdate":        journalOutlivesSkip,
		"JournalTakesManyAndLargeEntries":      journalLarge,
		"AttemptsArePersisted":                 attempts,
		"LockKeepsOthersOut":                   lockExcludes,
		"LockIsPassedOn":                       lockPassedOn,
		"LockOutlivesItsTTLWhileHeld":          lockRenewed,
		"StolenLockRefusesEverything":          stolenRefuses,
		"StolenLockIsNoticed":                  stolenNoticed,
		"StolenStateLockRefusesCommit":         stolenState,
		"MovedCursorRefusesCommit":             movedCursor,
		"ChangedStreamRefusesCommit":           changedStream,
		"FrozenHolderHasNoEffect":              frozenHolder,
		"CrashedHolderIsReplacedWithinItsTTL":  crashedHolder,
		"LostAnswersAreFoundDone":              lostAnswers,
		"CrashAnywhereInACommitCountsOnce":     crashAnywhere,
		"OtherLaneAfterACrashKeepsTheMark":     crashThenOtherLane,
		"TwoLanesOfOneUserTakeTurns":           globalUser,
		"WaitingForAStateKeepsTheLane":         waitKeepsLane,
		"RestartForgetsNothing":                restartKeeps,
		"OutageIsUnavailable":                  outageUnavailable,
		"ConcurrentTurnsCountExactly":          countExactly,
		"ConcurrentTurnsOfManyLanesOnOneState": countShared,
		"EditChangesNothingButTheState":        edit,
		"EditWaitsForARunningTurn":             editWaits,
		"EditRefusesATurnThatLostItsLock":      editRefuses,
		"EditAfterACrashKeepsTheMark":          crashThenEdit,
		"ForgetForgets":                        forget,
		"MoveTakesAStateAlong":                 move,
		"PingAnswers":                          ping,
	}
}

func group() fsm.Keys {
	return fsm.Keys{Lane: "42:c:-100", Home: "42:c:-100", State: "42:c:-100:u:7", StateHome: "42:c:-100"}
}

// global is a lane whose state the user has in other chats too.
func global(lane string) fsm.Keys {
	return fsm.Keys{Lane: lane, Home: lane, State: "42:u:7", StateHome: "42:u:7", Shared: true}
}

func kinds() map[string]fsm.Keys {
	return map[string]fsm.Keys{
		"own":       group(),
		"global":    global("42:c:-101"),
		"elsewhere": {Lane: "42:u:8", Home: "42:u:8", State: "42:c:-102:u:8", StateHome: "42:c:-102"},
		"same home": {Lane: "42:c:-103:u:7", Home: "42:c:-103", State: "42:c:-103", StateHome: "42:c:-103", Shared: true},
	}
}

// eachKind runs the kinds at once: most of their time they wait for locks to expire.
func eachKind(t *testing.T, test func(t *testing.T, k fsm.Keys)) {
	t.Helper()
	var all sync.WaitGroup
	for name, k := range kinds() {
		all.Go(func() { t.Run(name, func(t *testing.T) { test(t, k) }) })
	}
	all.Wait()
}

// eachKindAlone is for cases that count records.
func eachKindAlone(t *testing.T, test func(t *testing.T, k fsm.Keys)) {
	t.Helper()
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) { test(t, k) })
	}
}

const stream = 1_700_000_000_123_456_789 // it does not fit a float

func at(seq uint64) fsm.Position {
	return fsm.Position{Stream: stream, Seq: seq, Update: 1000 + int64(seq), Stored: day.Add(time.Duration(seq) * time.Second)}
}

var day = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) //nolint:gochecknoglobals // a constant, if Go had them of this type

// start connects a first process with a lock that does not end.
func start(t *testing.T, h Harness) Process {
	t.Helper()
	return h.Process(t, Config{LockTTL: lockTTLLong})
}

func open(t *testing.T, s Store, k fsm.Keys, p fsm.Position) *fsm.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	session, err := s.Open(ctx, k, p)
	if err != nil {
		t.Fatalf("open %s at %d: %v", k.Lane, p.Seq, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Second)
		defer cancel()
		_ = session.Close(ctx) // the case may have cut it off
	})
	return session
}

// commit does one turn that sets the state and the data.
func commit(t *testing.T, s Store, k fsm.Keys, p fsm.Position, step, data string) {
	t.Helper()
	session := open(t, s, k, p)
	session.SetState(step)
	session.SetData([]byte(data))
	mustCommit(t, session)
}

func mustCommit(t *testing.T, s *fsm.Session) {
	t.Helper()
	if err := s.Commit(t.Context()); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func mustClose(t *testing.T, s *fsm.Session) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func peek(t *testing.T, s Store, k fsm.Keys) fsm.Record {
	t.Helper()
	r, err := s.Peek(t.Context(), k)
	if err != nil {
		t.Fatalf("peek %s: %v", k.Lane, err)
	}
	return r
}

func wait(t *testing.T, what string, signal <-chan struct{}) {
	t.Helper()
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	select {
	case <-signal:
	case <-timeout.C:
		t.Fatalf("%s did not come", what)
	}
}

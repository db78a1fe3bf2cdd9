package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/chatlane/chatlane/internal/config"
)

// laneReport is what the servers have of a lane. It has no text that people wrote.
type laneReport struct {
	At          time.Time    `json:"at"`
	Lane        string       `json:"lane"`
	Doing       string       `json:"doing"`
	Partition   int          `json:"partition"`
	Owner       string       `json:"owner,omitempty"` // by heartbeat
	Pinned      bool         `json:"pinned"`          // a worker owns the partition, by the broker
	OwnedSince  time.Time    `json:"pinned_since,omitzero"`
	Locked      bool         `json:"locked"`
	Stream      time.Time    `json:"stream,omitzero"` // when the stream of the last commit was made
	Cursor      uint64       `json:"cursor"`          // sequence of the last commit; 0: none
	Attempts    int          `json:"failed_attempts"` // of the turn at JournalOf
	JournalOf   uint64       `json:"journal_of,omitempty"`
	Journal     []callLine   `json:"journal,omitempty"`
	States      []stateLine  `json:"states,omitempty"`
	Queued      uint64       `json:"queued"`
	Parked      uint64       `json:"parked"`
	ParkedFor   string       `json:"parked_reason,omitempty"`
	ParkedSince time.Time    `json:"parked_since,omitzero"`
	NextAttempt time.Time    `json:"next_attempt,omitzero"`
	Updates     []updateLine `json:"updates,omitempty"`
	Dead        int          `json:"dead"`
	Letters     []letterLine `json:"dead_letters,omitempty"`
}

type updateLine struct {
	Seq    uint64    `json:"sequence"`
	Update int64     `json:"update"`
	Type   string    `json:"type"`
	User   int64     `json:"user,omitempty"`
	Stored time.Time `json:"stored"`
	Where  string    `json:"where"`
}

type letterLine struct {
	ID     uint64    `json:"id"`
	Update int64     `json:"update"`
	Type   string    `json:"type"`
	Reason string    `json:"reason"`
	Died   time.Time `json:"died"`
}

type stateLine struct {
	Key   string `json:"key"`
	State string `json:"state"`
	Bytes int    `json:"data_bytes"`
}

type callLine struct {
	Index   int       `json:"index"`
	Outcome string    `json:"outcome"`
	Method  string    `json:"method,omitempty"` // or the key of a step; entries of earlier releases have none
	At      time.Time `json:"at,omitzero"`      // when it was recorded
	Bytes   int       `json:"bytes"`
}

// doing is what the lane does now, since when and why, in a line.
func (r *laneReport) doing() string {
	head := "nothing waits"
	if len(r.Updates) > 0 {
		u := r.Updates[0]
		head = fmt.Sprintf("update %d (%s), stored %s ago", u.Update, u.Type, age(r.At.Sub(u.Stored).Seconds()))
	}
	failed := ""
	if r.Attempts > 0 && len(r.Updates) > 0 && r.Updates[0].Seq == r.JournalOf {
		failed = fmt.Sprintf(" after %d failed attempts", r.Attempts)
	}
	switch {
	case r.Locked:
		return "runs: " + head + failed
	case r.Parked+r.Queued == 0:
		return "idle: " + head
	case !r.Pinned:
		return "waits for an owner of its partition: " + head
	case r.Parked > 0 && !r.NextAttempt.IsZero():
		return fmt.Sprintf("parked (%s) until %s: %s%s", r.ParkedFor, clock(r.NextAttempt), head, failed)
	case r.Parked > 0 && r.ParkedFor != "":
		return fmt.Sprintf("parked (%s): %s%s", r.ParkedFor, head, failed)
	case failed != "":
		return "waits for its next attempt: " + head + failed
	}
	return "waits for its turn: " + head
}

func (r *laneReport) print(p config.Program) error {
	owner := "nobody owns it"
	switch {
	case r.Owner != "" && r.Pinned:
		owner = fmt.Sprintf("owned by %s since %s", r.Owner, clock(r.OwnedSince))
	case r.Pinned:
		owner = "owned since " + clock(r.OwnedSince) + " by a worker whose heartbeat does not name it"
	}
	cursor := "no commit yet"
	if r.Cursor > 0 {
		cursor = fmt.Sprintf("sequence %d of the stream made %s", r.Cursor, clock(r.Stream))
	}
	p.Printf("lane       %s\ndoing      %s\npartition  %d, %s\nlock       %s\ncursor     %s\n", r.Lane, r.Doing, r.Partition, owner, held(r.Locked), cursor)
	for _, s := range r.States {
		p.Printf("state      %s: %s, %d bytes of data\n", s.Key, orNone(s.State), s.Bytes)
	}
	if r.JournalOf > 0 {
		p.Printf("journal    %d calls of sequence %d, %d failed attempts\n", len(r.Journal), r.JournalOf, r.Attempts)
	}
	p.Printf("updates    %d queued, %d parked, %d dead\n", r.Queued, r.Parked, r.Dead)
	if r.Parked > 0 {
		p.Printf("parked     %s, since %s\n", orNone(r.ParkedFor), clock(r.ParkedSince))
	}
	if len(r.Journal) > 0 {
		p.Printf("\n")
		t := aligned(p, "CALL", "OUTCOME", "METHOD", "AT", "BYTES")
		for _, c := range r.Journal {
			t.row(strconv.Itoa(c.Index), c.Outcome, c.Method, clock(c.At), strconv.Itoa(c.Bytes))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(r.Updates) > 0 {
		p.Printf("\n")
		t := aligned(p, "SEQUENCE", "UPDATE", "TYPE", "USER", "STORED", "WHERE")
		for _, u := range r.Updates {
			t.row(strconv.FormatUint(u.Seq, 10), strconv.FormatInt(u.Update, 10), u.Type, strconv.FormatInt(u.User, 10), clock(u.Stored), u.Where)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(r.Letters) == 0 {
		return nil
	}
	p.Printf("\n")
	t := aligned(p, "DEAD LETTER", "UPDATE", "TYPE", "REASON", "DIED")
	for _, l := range r.Letters {
		t.row(strconv.FormatUint(l.ID, 10), strconv.FormatInt(l.Update, 10), l.Type, l.Reason, clock(l.Died))
	}
	return t.flush()
}

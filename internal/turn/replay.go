package turn

import (
	"fmt"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// brought is the journal that a replayed update brings of its dead letter: the calls and
// steps that are done are not made again. It is empty for any other update.
func (t *task) brought() (journal.Kept, error) {
	if len(t.d.Journal) == 0 || t.journal != nil {
		return t.kept(), nil
	}
	k, err := journal.DecodeKept(t.d.Journal)
	if err != nil {
		return k, fmt.Errorf("replayed update: %w", err)
	}
	k = k.ForReplay()
	t.journal = &k
	return k, nil
}

func (t *task) kept() journal.Kept {
	if t.journal == nil {
		return journal.Kept{}
	}
	return *t.journal
}

// lastJournal is what the update's dead letter keeps: everything that its calls could be
// answered from, also what this worker could not write. A journal that cannot be decoded
// stays with the update as it is.
func (t *task) lastJournal() []byte {
	k, err := t.brought()
	if err != nil {
		return t.d.Journal
	}
	k.Turn = t.r.results.of(t.position()).journal(t.session, k.Turn).all()
	if u := t.urgent; u != nil {
		k.UrgentDone = k.UrgentDone || u.did
		if u.entries != nil {
			k.Urgent = u.entries
		}
	}
	return k.Encode()
}

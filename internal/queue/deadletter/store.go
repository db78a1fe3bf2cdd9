package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/queue"
)

// Store is the stream of dead letters. Safe for concurrent use.
type Store struct{ conn *broker.Conn }

// New works on the stream over conn.
func New(conn *broker.Conn) *Store { return &Store{conn: conn} }

// headroom is what a letter's headers have at most.
const headroom = 32 << 10

// Put returns nil once the letter is stored. Within the duplicate window an update with a Seq is stored once.
// A journal for which the broker's largest message has no place is left out, and the letter says so.
func (s *Store) Put(ctx context.Context, l Letter) error {
	if int64(len(l.Body)+len(l.Journal)+headroom) > s.conn.MaxPayload() && len(l.Journal) > 0 {
		l.Journal, l.JournalLost = nil, true
	}
	msg := l.message(s.conn.Names().DeadLettersPrefix())
	switch {
	case l.Seq != 0:
		msg.Header[jetstream.MsgIDHeader] = []string{queue.PositionID(l.Lane, l.Stream, l.Seq)}
	case l.Digest != "":
		msg.Header[jetstream.MsgIDHeader] = []string{l.Digest}
	}
	if _, err := s.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(s.conn.Names().DeadLetters())); err != nil {
		return fmt.Errorf("store dead letter of update %d in lane %s: %w", l.Update, l.Lane, err)
	}
	return nil
}

// Has looks for an update's letter, however old. It reads headers alone, and finds letters of other versions too.
func (s *Store) Has(ctx context.Context, l Letter) (bool, error) {
	for m, err := range s.messages(ctx, Filter{Lane: l.Lane, HeadersOnly: true}) {
		if err != nil {
			return false, fmt.Errorf("look for the dead letter of update %d in lane %s: %w", l.Update, l.Lane, err)
		}
		h := m.Headers()
		if queue.HeaderInt(h, queue.HeaderStream) == l.Stream && uint64(queue.HeaderInt(h, queue.HeaderSequence)) == l.Seq {
			return true, nil
		}
	}
	return false, nil
}

// Get reads one dead letter. Errors: ErrNotFound, ErrUnreadable, or the connection's.
func (s *Store) Get(ctx context.Context, id uint64) (Letter, error) {
	stream, err := s.conn.Stream(ctx, s.conn.Names().DeadLetters())
	if err != nil {
		return Letter{}, err
	}
	m, err := stream.GetMsg(ctx, id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Letter{}, fmt.Errorf("dead letter %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("read dead letter %d: %w", id, err)
	}
	return decode(m.Subject, m.Header, m.Data, m.Sequence)
}

// ErrNotFound means that there is no such dead letter.
var ErrNotFound = errors.New("not found")

// Drop removes one letter for good, readable or not. ErrNotFound means that it is gone already.
func (s *Store) Drop(ctx context.Context, id uint64) error {
	stream, err := s.conn.Stream(ctx, s.conn.Names().DeadLetters())
	if err != nil {
		return err
	}
	if err := stream.DeleteMsg(ctx, id); err != nil {
		if _, gone := stream.GetMsg(ctx, id); errors.Is(gone, jetstream.ErrMsgNotFound) {
			err = ErrNotFound
		}
		return fmt.Errorf("drop dead letter %d: %w", id, err)
	}
	return nil
}

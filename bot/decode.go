package bot

import "github.com/mymmrac/telego"

// UndecodedError means that a handler, filter or middleware asked for the typed form of an update that does not
// fit the types of this version.
type UndecodedError struct{ Err error }

// Error is the cause's text.
func (e *UndecodedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UndecodedError) Unwrap() error { return e.Err }

// decoded is the typed form of the update, nil for a timeout. It panics with an *UndecodedError, which whoever runs
// an author's code makes the error of what it ran: most that ask for the update can return none.
func (t *Turn) decoded() *telego.Update {
	if t.p.Update != nil || t.p.Decode == nil {
		return t.p.Update
	}
	u, err := t.p.Decode()
	if err != nil {
		panic(&UndecodedError{err})
	}
	if t.p.Update = u; u == nil {
		t.p.Decode = nil
		return nil
	}
	t.message = messageOf(u)
	return u
}

func (t *Turn) id() int64 {
	if t.p.ID == 0 && t.p.Update != nil {
		return int64(t.p.Update.UpdateID)
	}
	return t.p.ID
}

func messageOf(u *telego.Update) *telego.Message {
	for _, m := range [...]*telego.Message{
		u.Message, u.EditedMessage, u.ChannelPost, u.EditedChannelPost,
		u.BusinessMessage, u.EditedBusinessMessage, u.GuestMessage,
	} {
		if m != nil {
			return m
		}
	}
	if q := u.CallbackQuery; q != nil {
		m, _ := q.Message.(*telego.Message)
		return m
	}
	return nil
}

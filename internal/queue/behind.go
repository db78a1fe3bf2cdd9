package queue

import "context"

// mostBehind bounds how far Behind looks into a parked lane: a round trip each.
const mostBehind = 24

// behind looks into PARKED from a place on, if the lane is there, then into UPDATES.
func (l *lot) behind(ctx context.Context, d *Delivery, place uint64) ([]*Delivery, error) {
	var found []*Delivery
	last := d.Seq
	add := func(other *Delivery) {
		if other.Stream == d.Stream && other.Seq > last {
			found, last = append(found, other), other.Seq
		}
	}
	for n := 0; n < mostBehind && l.space(d.Lane) != nil; n++ {
		other, at, err := l.from(ctx, d.Lane, place)
		if err != nil {
			return nil, err
		}
		if other == nil {
			break
		}
		add(other)
		place = at + 1
	}
	for _, other := range l.open(d.Lane) {
		if !l.hasMoved(other) {
			add(other)
		}
	}
	return found, nil
}

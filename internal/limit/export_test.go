package limit

// Size is how much is kept.
func (l *Local) Size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buckets.mu.Lock()
	defer l.buckets.mu.Unlock()
	return len(l.buckets.full) + len(l.blocks) + len(l.refused)
}

// Known is how many records are known.
func (l *NATS) Known() int {
	l.known.mu.Lock()
	defer l.known.mu.Unlock()
	return len(l.known.entries)
}

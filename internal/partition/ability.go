package partition

// ability says who is able to own the partitions that only some workers are able to own. The zero value: all are.
type ability struct {
	able  func(worker string, p ID) bool
	some  []bool          // by partition
	count int             // of these
	full  map[string]bool // workers able to own all of these
}

func newAbility(workers []string, partitions int, able func(string, ID) bool) ability {
	if able == nil {
		return ability{}
	}
	a := ability{able: able, some: make([]bool, partitions), full: make(map[string]bool, len(workers))}
	for _, w := range workers {
		a.full[w] = true
	}
	for p := range ID(partitions) {
		n := 0
		for _, w := range workers {
			if able(w, p) {
				n++
			}
		}
		if a.some[p] = n > 0 && n < len(workers); !a.some[p] {
			continue
		}
		a.count++
		for _, w := range workers {
			if !able(w, p) {
				delete(a.full, w)
			}
		}
	}
	return a
}

// bound reports whether only some workers are able to own p.
func (a ability) bound(p ID) bool { return a.able != nil && a.some[p] }

func (a ability) may(w string, p ID) bool { return !a.bound(p) || a.able(w, p) }

// share is how many of the bound partitions a worker keeps past its even share: an even share among those able to own
// all of them.
func (a ability) share(w string, kept []ID) int {
	n := 0
	for _, p := range kept {
		if a.bound(p) {
			n++
		}
	}
	if a.full[w] {
		return min(n, (a.count+len(a.full)-1)/len(a.full))
	}
	return n
}

package hipac

// Identities: where the rules of a list under edit are, by identity.

import "github.com/hipac-go/classifier/rules"

// identities are the labels of rules. Lists number their rules from 1 unless told
// otherwise, so that most are found by index.
type identities struct {
	dense  []uint32 // 1 + label, by identity - 1
	sparse map[rules.ID]uint32
	n      int
	next   rules.ID // greater than every identity there was, or the greatest of all
	low    rules.ID // up to here, free has looked for those that nobody has
}

func (x *identities) get(id rules.ID) (label uint32, ok bool) {
	if id >= 1 && id <= rules.ID(len(x.dense)) {
		l := x.dense[id-1]
		return l - 1, l != 0
	}
	label, ok = x.sparse[id]
	return label, ok
}

func (x *identities) set(id rules.ID, label uint32) {
	if _, ok := x.get(id); !ok {
		x.n++
	}
	x.reserve(id)
	if id > rules.ID(len(x.dense)) && id <= rules.ID(2*x.n+64) {
		for rules.ID(len(x.dense)) < id {
			next := rules.ID(len(x.dense) + 1)
			l, ok := x.sparse[next]
			if ok {
				delete(x.sparse, next)
				l++
			}
			x.dense = append(x.dense, l)
		}
	}
	if id <= rules.ID(len(x.dense)) {
		x.dense[id-1] = label + 1
		return
	}
	if x.sparse == nil {
		x.sparse = map[rules.ID]uint32{}
	}
	x.sparse[id] = label
}

func (x *identities) delete(id rules.ID) {
	if _, ok := x.get(id); !ok {
		return
	}
	x.n--
	if id <= rules.ID(len(x.dense)) {
		x.dense[id-1] = 0
	} else {
		delete(x.sparse, id)
	}
	if x.n == 0 { // memory returns
		x.dense, x.sparse = nil, nil
	}
}

// reserve has free return others than the identity.
func (x *identities) reserve(id rules.ID) { x.next = max(x.next, id, id+1) }

// free returns an identity that no rule has had or, when the greatest ones have
// been used, one that no rule has and that is not to be avoided, if that is not nil.
func (x *identities) free(avoid func(rules.ID) bool) rules.ID {
	if id := max(x.next, 1); id < ^rules.ID(0) {
		return id
	}
	for {
		x.low++
		if _, used := x.get(x.low); !used && (avoid == nil || !avoid(x.low)) {
			return x.low
		}
	}
}

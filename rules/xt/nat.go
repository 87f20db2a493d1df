package xt

// Targets that change addresses and ports.

import "github.com/hipac-go/classifier/rules"

// addressEffect adds the change of an address.
func (t *Traversal) addressEffect(at rules.Place, target, field string, old, new *[4]uint32, detail string) {
	t.add(Effect{Rule: at, Target: target, Field: field, Detail: detail, Old: addrValue(old), New: addrValue(new)})
}

func addrValue(a *[4]uint32) rules.Value {
	return rules.Value{Hi: uint64(a[0])<<32 | uint64(a[1]), Lo: uint64(a[2])<<32 | uint64(a[3])}
}

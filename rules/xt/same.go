package xt

// Tests and targets that ask data from elsewhere, or whose text may be no more
// than the name of a field: when two of them are the same (rules.Comparer).
// Data are the same when they are the same object: what is read anew may differ.

import (
	"reflect"

	"github.com/hipac-go/classifier/rules"
)

// Same implements rules.Comparer.
func (c *condTest) Same(other any) bool {
	d, ok := other.(*condTest)
	if !ok || c.needs != d.needs || !c.cond.Equal(&d.cond) {
		return false
	}
	f, g := c.schema.Field(0), d.schema.Field(0)
	return f.Name == g.Name && f.Kind == g.Kind && f.Bits == g.Bits
}

// Same implements rules.Comparer.
func (a anyOf) Same(other any) bool {
	b, ok := other.(anyOf)
	if !ok || len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for j := range a[i] {
			if !sameTest(a[i][j], b[i][j]) {
				return false
			}
		}
	}
	return true
}

// sameTest reports whether tests of an anyOf are the same, which have no texts
// of their own: the text of the whole says all that Same does not.
func sameTest(t, u rules.Test) bool {
	if c, ok := t.(rules.Comparer); ok {
		return c.Same(u)
	}
	return reflect.TypeOf(t) == reflect.TypeOf(u)
}

// Same implements rules.Comparer.
func (i *inSet) Same(other any) bool {
	j, ok := other.(*inSet)
	return ok && *i == *j
}

// Same implements rules.Comparer.
func (a *typeTest) Same(other any) bool {
	b, ok := other.(*typeTest)
	return ok && a.AddrType == b.AddrType && a.routes == b.routes
}

// Same implements rules.Comparer. Its text says the rest.
func (x *Set) Same(other any) bool {
	y, ok := other.(*Set)
	return ok && x.From == y.From
}

var (
	_ rules.Comparer = (*condTest)(nil)
	_ rules.Comparer = anyOf(nil)
	_ rules.Comparer = (*inSet)(nil)
	_ rules.Comparer = (*typeTest)(nil)
	_ rules.Comparer = (*Set)(nil)
	_ rules.Comparer = (*setLabel)(nil)
	_ rules.Comparer = (*OwnerMatch)(nil)
)

// Same implements rules.Comparer: names of labels are the caller's.
func (l *setLabel) Same(other any) bool {
	m, ok := other.(*setLabel)
	return ok && *l == *m
}

// Same implements rules.Comparer: names of users and groups are the caller's.
func (m *OwnerMatch) Same(other any) bool {
	o, ok := other.(*OwnerMatch)
	return ok && m.Supplementary == o.Supplementary && sameAt(m.User, o.User) && sameAt(m.Group, o.Group) && sameAt(m.Socket, o.Socket)
}

func sameAt[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

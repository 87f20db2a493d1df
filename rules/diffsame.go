package rules

// When rules are the same: their hashes, and the comparison that decides.

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// side is a rule of the old or the new list.
type side[T any] struct {
	rule *Rule[T]
	new  bool
}

// comparison says when rules are the same besides what all rules have. The
// functions may be nil.
type comparison[T any] struct {
	sameMatch   func(a, b side[T]) bool // what the rule asks
	sameValue   func(a, b side[T]) bool // what it does
	appendMatch func([]byte, side[T]) []byte
	appendValue func([]byte, side[T]) []byte
	ordered     func(*Rule[T]) bool // the order of its conditions counts
}

// ruleComparer compares the rules of two lists.
type ruleComparer[T any] struct {
	comparison[T]
	fields [2][]uint8 // numbers of the lists' fields, the same for the same ones; nil: as they are
	seed   maphash.Seed
	buf    []byte
}

// numberFields numbers the fields of both schemas when they differ.
func (c *ruleComparer[T]) numberFields(old, new *Schema) {
	byOld := make([]uint8, old.Len())
	for i := range byOld {
		byOld[i] = uint8(i)
	}
	byNew := make([]uint8, new.Len())
	for i := range byNew {
		byNew[i] = uint8(old.Len() + i)
		f := new.Field(i)
		if j := old.Index(f.Name); j >= 0 && old.Field(j).Kind == f.Kind && old.Field(j).Bits == f.Bits {
			byNew[i] = uint8(j)
		}
	}
	c.fields = [2][]uint8{byOld, byNew}
}

// numbers returns the numbers of the fields of the rule's list.
func (c *ruleComparer[T]) numbers(r side[T]) []uint8 {
	if r.new {
		return c.fields[1]
	}
	return c.fields[0]
}

func (c *Cond) number(fields []uint8) uint8 {
	if fields == nil {
		return c.field
	}
	return fields[c.field]
}

// sameMatching reports whether the rules ask the same.
func (c *ruleComparer[T]) sameMatching(a, b side[T]) bool {
	if a.rule.Unknown != b.rule.Unknown || c.sameMatch != nil && !c.sameMatch(a, b) {
		return false
	}
	ordered := c.ordered != nil && c.ordered(a.rule)
	return sameConds(a.rule.Conds, b.rule.Conds, c.numbers(a), c.numbers(b), ordered)
}

// same reports whether the rules are the same but for their identities.
func (c *ruleComparer[T]) same(a, b side[T]) bool {
	return a.rule.Continue == b.rule.Continue && a.rule.Comment == b.rule.Comment &&
		(c.sameValue == nil || c.sameValue(a, b)) && c.sameMatching(a, b)
}

// hash returns the hash of what the rule asks, and that of all of it.
func (c *ruleComparer[T]) hash(r side[T]) (matching, all uint64) {
	fields := c.numbers(r)
	sum := uint64(len(r.rule.Conds)) // of hashes: their order does not count
	for i := range r.rule.Conds {
		c.buf = r.rule.Conds[i].appendKey(c.buf[:0], fields)
		sum += maphash.Bytes(c.seed, c.buf)
	}
	b := appendText(appendUint64(c.buf[:0], sum), r.rule.Unknown)
	if c.appendMatch != nil {
		b = c.appendMatch(b, r)
	}
	matching = maphash.Bytes(c.seed, b)
	b = appendText(appendUint64(b[:0], matching), r.rule.Comment)
	if b = append(b, 0); r.rule.Continue {
		b[len(b)-1] = 1
	}
	if c.appendValue != nil {
		b = c.appendValue(b, r)
	}
	c.buf = b
	return matching, maphash.Bytes(c.seed, b)
}

func appendUint64(b []byte, x uint64) []byte { return binary.LittleEndian.AppendUint64(b, x) }

// appendText writes a text so that what follows cannot be taken for it.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendKey writes all of the condition.
func (c *Cond) appendKey(b []byte, fields []uint8) []byte {
	value := func(v Value) { b = appendUint64(appendUint64(b, v.Hi), v.Lo) }
	b = append(b, c.number(fields), c.flags())
	if c.masked {
		value(c.want)
		value(c.mask)
	}
	for _, iv := range c.ranges {
		value(iv.Lo)
		value(iv.Hi)
	}
	return b
}

func (c *Cond) flags() (f uint8) {
	for i, set := range [...]bool{c.not, c.orAbsent, c.ranged, c.masked} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

// compareCond orders conditions. Those that are written the same are equal.
func compareCond(a, b *Cond, fieldsA, fieldsB []uint8) int {
	return cmp.Or(
		cmp.Compare(a.number(fieldsA), b.number(fieldsB)),
		cmp.Compare(a.flags(), b.flags()),
		a.want.Cmp(b.want),
		a.mask.Cmp(b.mask),
		slices.CompareFunc(a.ranges, b.ranges, func(x, y Interval) int { return cmp.Or(x.Lo.Cmp(y.Lo), x.Hi.Cmp(y.Hi)) }))
}

// sameConds reports whether rules with these conditions ask the same, in the
// same order when that counts.
func sameConds(a, b []Cond, fieldsA, fieldsB []uint8, ordered bool) bool {
	if len(a) != len(b) {
		return false
	}
	equal := func(a, b []Cond) bool {
		for i := range a {
			c, d := &a[i], &b[i]
			if c.number(fieldsA) != d.number(fieldsB) || c.flags() != d.flags() ||
				c.want != d.want || c.mask != d.mask || !slices.Equal(c.ranges, d.ranges) {
				return false
			}
		}
		return true
	}
	if equal(a, b) {
		return true
	}
	if ordered || len(a) < 2 {
		return false
	}
	sorted := func(conds []Cond, fields []uint8) []Cond {
		conds = slices.Clone(conds)
		slices.SortFunc(conds, func(c, d Cond) int { return compareCond(&c, &d, fields, fields) })
		return conds
	}
	return equal(sorted(a, fieldsA), sorted(b, fieldsB))
}

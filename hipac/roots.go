package hipac

// Roots: the trees of one rule list. Schemas whose addresses are of either
// family (rules.IP) get a tree for keys whose addresses are all IPv4 beside
// the general one: in it, twelve of the sixteen address bytes are known, so
// IPv4 lookups there cost what they cost in an IPv4 schema.

import (
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// families are the first key words of a schema's fields of kind rules.IP.
type families []int

func familiesOf(s *rules.Schema) families {
	var f families
	for i := range s.Len() {
		if s.Field(i).Kind == rules.IP {
			first, _ := s.FieldWords(i)
			f = append(f, first)
		}
	}
	return f
}

// allIPv4 reports whether every such field of the key holds an IPv4 address.
func (f families) allIPv4(k []uint32) bool {
	for _, w := range f {
		if a := k[w : w+3]; a[0]|a[1] != 0 || a[2] != 0xffff {
			return false
		}
	}
	return len(f) > 0
}

// fixed returns the words that are known in keys with IPv4 addresses.
func (f families) fixed() []tree.Fixed {
	var out []tree.Fixed
	for _, w := range f {
		out = append(out, tree.Fixed{Word: w}, tree.Fixed{Word: w + 1}, tree.Fixed{Word: w + 2, Value: 0xffff})
	}
	return out
}

// roots are the entries to the trees of a list.
type roots struct {
	general, ipv4 tree.Ref
}

// rootFor returns the root for a key.
func (r *roots) rootFor(f families, k []uint32) tree.Ref {
	if f.allIPv4(k) {
		return r.ipv4
	}
	return r.general
}

// build adds the trees of the boxes, of one family (4 or 6) or of both (0).
func (f families) build(b *tree.Builder, boxes *lower.Boxes, family int) (r roots, err error) {
	fixed := f.fixed()
	var dims []int // those of the fixed words
	for _, x := range fixed {
		for d := range boxes.Dims {
			if boxes.Dims[d].Word == x.Word {
				dims = append(dims, d)
			}
		}
	}
	if len(f) == 0 || len(dims) == 0 {
		r.general, err = b.Root(nil, nil)
		r.ipv4 = r.general
		return r, err
	}
	if family != 4 {
		// An entry that wants IPv4 in all fields is for the other tree.
		want := make(map[int]uint32, len(fixed))
		for _, x := range fixed {
			want[x.Word] = x.Value
		}
		only4 := func(e int) bool {
			for _, d := range dims {
				v := want[boxes.Dims[d].Word]
				if boxes.Dims[d].Spans[e] != (lower.Span{Lo: v, Hi: v}) {
					return false
				}
			}
			return len(dims) == len(fixed)
		}
		if r.general, err = b.Root(nil, func(e int) bool { return !only4(e) }); err != nil {
			return r, err
		}
	}
	if family != 6 {
		r.ipv4, err = b.Root(fixed, nil)
	}
	return r, err
}

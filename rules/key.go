package rules

// Keys: what a lookup takes. A key is a packet's field values as 32-bit
// words, laid out by the schema, so that one flat array serves every schema,
// narrow and wide, and vector instructions can gather from it.

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Key holds the field values of one packet, laid out by its Schema:
//
//	word 0          bit i is set when field i is absent from the packet
//	then per field  1 to 4 words, the most significant first
//
// A field of up to 32 bits takes one word, an IPv6 address four; the IPv4
// 5-tuple is six words. The words of an absent field must be 0 and no word
// may have bits beyond the field's width: Set, SetAbsent and Tuple keep to
// that, Schema.CheckKey tests it. A lookup with a key that breaks it gives
// some answer or none, and never fails.
type Key []uint32

// MaxKeyWords is the length of the longest possible key.
const MaxKeyWords = 1 + MaxFields*MaxFieldBits/32

// KeyLen returns the number of words in a key of the schema.
func (s *Schema) KeyLen() int { return s.words }

// FieldWords returns the index of the first key word of field i and the
// number of its words.
func (s *Schema) FieldWords(i int) (first, n int) { return s.offset[i], s.width[i] }

// NewKey returns a key in which every field is present and 0.
func (s *Schema) NewKey() Key { return make(Key, s.words) }

// Set gives field i of k the value v, cut to the field's width.
func (s *Schema) Set(k Key, i int, v Value) {
	v = v.And(Ones(s.fields[i].Bits))
	o := s.offset[i]
	switch s.width[i] {
	case 1:
		k[o] = uint32(v.Lo)
	case 2:
		k[o], k[o+1] = uint32(v.Lo>>32), uint32(v.Lo)
	case 3:
		k[o], k[o+1], k[o+2] = uint32(v.Hi), uint32(v.Lo>>32), uint32(v.Lo)
	default:
		k[o], k[o+1], k[o+2], k[o+3] = uint32(v.Hi>>32), uint32(v.Hi), uint32(v.Lo>>32), uint32(v.Lo)
	}
	k[0] &^= 1 << i
}

// SetAbsent makes field i of k absent.
func (s *Schema) SetAbsent(k Key, i int) {
	s.Set(k, i, Value{})
	k[0] |= 1 << i
}

// Get returns the value of field i of k, and false when it is absent.
func (s *Schema) Get(k Key, i int) (Value, bool) {
	if k[0]>>i&1 != 0 {
		return Value{}, false
	}
	var v Value
	o := s.offset[i]
	switch s.width[i] {
	case 1:
		v.Lo = uint64(k[o])
	case 2:
		v.Lo = uint64(k[o])<<32 | uint64(k[o+1])
	case 3:
		v.Hi, v.Lo = uint64(k[o]), uint64(k[o+1])<<32|uint64(k[o+2])
	default:
		v.Hi, v.Lo = uint64(k[o])<<32|uint64(k[o+1]), uint64(k[o+2])<<32|uint64(k[o+3])
	}
	return v, true
}

// CheckKey reports how k breaks the layout described at Key, or nil.
func (s *Schema) CheckKey(k Key) error {
	if len(k) != s.words {
		return fmt.Errorf("key: %d words, the schema's keys have %d", len(k), s.words)
	}
	if len(s.fields) < 32 && k[0]>>len(s.fields) != 0 {
		return fmt.Errorf("key: word 0 (%#x) names a field beyond the schema's %d", k[0], len(s.fields))
	}
	for i := range s.fields {
		o, w := s.offset[i], s.width[i]
		top := s.fields[i].Bits - 32*(w-1)
		if uint64(k[o])>>top != 0 {
			return fmt.Errorf("key: field %s: %#x does not fit its %d bits", s.fields[i].Name, k[o], s.fields[i].Bits)
		}
		if k[0]>>i&1 != 0 {
			for _, x := range k[o : o+w] {
				if x != 0 {
					return fmt.Errorf("key: field %s is absent but not 0", s.fields[i].Name)
				}
			}
		}
	}
	return nil
}

// Tuple is the 5-tuple of a packet of either family, for schemas with fields
// named src, dst, sport, dport and proto.
type Tuple struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	Proto            uint8
	// NoPorts marks a packet without ports (ICMP, a later fragment): sport and
	// dport are absent.
	NoPorts bool
}

// SetTuple fills k from t: the schema's fields src, dst, sport, dport and
// proto, as far as it has them; its other fields become absent. It reports
// false, and leaves k unspecified, when the schema's address fields cannot
// hold the tuple's addresses (IPv6 addresses in IPv4 fields, or IPv4 in IPv6
// ones): such a packet is outside the rule set. len(k) must be s.KeyLen().
func (s *Schema) SetTuple(k Key, t Tuple) bool {
	clear(k)
	k[0] = s.notTuple
	if !s.setAddr(k, s.tuple[0], t.Src) || !s.setAddr(k, s.tuple[1], t.Dst) {
		return false
	}
	for _, f := range [3]struct {
		field  int
		value  uint32
		absent bool
	}{{s.tuple[2], uint32(t.SrcPort), t.NoPorts}, {s.tuple[3], uint32(t.DstPort), t.NoPorts}, {s.tuple[4], uint32(t.Proto), false}} {
		switch {
		case f.field < 0:
		case f.absent:
			k[0] |= 1 << f.field
		default:
			s.Set(k, f.field, U64(uint64(f.value)))
		}
	}
	return true
}

// setAddr sets an address field of a zeroed key; an invalid address is absent.
func (s *Schema) setAddr(k Key, i int, a netip.Addr) bool {
	if i < 0 {
		return true
	}
	if !a.IsValid() {
		k[0] |= 1 << i
		return true
	}
	four := a.Is4() || a.Is4In6()
	switch kind := s.fields[i].Kind; {
	case kind == IP || kind == IPv6 && !four:
		s.Set(k, i, Addr16(a))
	case kind == IPv4 && four:
		s.Set(k, i, Addr4(a))
	default:
		return false
	}
	return true
}

// Tuple4 is the IPv4 5-tuple as numbers, the fastest way to a key of the
// IPv4Tuple schema.
type Tuple4 struct {
	Src, Dst         uint32
	SrcPort, DstPort uint16
	Proto            uint8
	NoPorts          bool // as in Tuple
}

// Key returns the key of the IPv4Tuple schema. It does not allocate when its
// result stays on the caller's stack: k := t.Key(); c.Lookup(k[:]).
func (t Tuple4) Key() [6]uint32 {
	if t.NoPorts {
		return [6]uint32{1<<2 | 1<<3, t.Src, t.Dst, 0, 0, uint32(t.Proto)}
	}
	return [6]uint32{0, t.Src, t.Dst, uint32(t.SrcPort), uint32(t.DstPort), uint32(t.Proto)}
}

// Tuple6 is the IPv6 5-tuple in wire format, for keys of the IPv6Tuple and
// IPTuple schemas.
type Tuple6 struct {
	Src, Dst         [16]byte
	SrcPort, DstPort uint16
	Proto            uint8
	NoPorts          bool // as in Tuple
}

// Key returns the key of the IPv6Tuple and IPTuple schemas, without
// allocating when its result stays on the caller's stack.
func (t *Tuple6) Key() (k [12]uint32) {
	for i := range 4 {
		k[1+i] = binary.BigEndian.Uint32(t.Src[4*i:])
		k[5+i] = binary.BigEndian.Uint32(t.Dst[4*i:])
	}
	k[11] = uint32(t.Proto)
	if t.NoPorts {
		k[0] = 1<<2 | 1<<3
	} else {
		k[9], k[10] = uint32(t.SrcPort), uint32(t.DstPort)
	}
	return k
}

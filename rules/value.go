package rules

// Field values. Every field of a packet, whatever its width, is an unsigned
// number of at most 128 bits; Value holds one. Narrow fields use the low
// bits. Addresses are numbers in network byte order, so that numeric order is
// the order of the addresses and a prefix is an interval.

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// Value is an unsigned 128-bit field value. The zero Value is the number 0.
// Values are comparable with ==; use Cmp or Less for order.
type Value struct {
	Hi, Lo uint64
}

// U64 returns x as a Value.
func U64(x uint64) Value { return Value{Lo: x} }

// Cmp returns -1, 0 or +1 as v is less than, equal to or greater than w.
func (v Value) Cmp(w Value) int {
	switch {
	case v == w:
		return 0
	case v.Less(w):
		return -1
	}
	return 1
}

// Less reports whether v < w.
func (v Value) Less(w Value) bool {
	return v.Hi < w.Hi || v.Hi == w.Hi && v.Lo < w.Lo
}

// And returns the bitwise AND of v and w.
func (v Value) And(w Value) Value { return Value{v.Hi & w.Hi, v.Lo & w.Lo} }

// Or returns the bitwise OR of v and w.
func (v Value) Or(w Value) Value { return Value{v.Hi | w.Hi, v.Lo | w.Lo} }

// Xor returns the bitwise XOR of v and w.
func (v Value) Xor(w Value) Value { return Value{v.Hi ^ w.Hi, v.Lo ^ w.Lo} }

// Not returns the bitwise complement of v within 128 bits.
func (v Value) Not() Value { return Value{^v.Hi, ^v.Lo} }

// Next returns v+1, wrapping around after the largest Value.
func (v Value) Next() Value {
	lo, carry := bits.Add64(v.Lo, 1, 0)
	return Value{v.Hi + carry, lo}
}

// Prev returns v-1, wrapping around below 0.
func (v Value) Prev() Value {
	lo, borrow := bits.Sub64(v.Lo, 1, 0)
	return Value{v.Hi - borrow, lo}
}

// BitLen returns the number of bits needed to write v; 0 for v == 0.
func (v Value) BitLen() int {
	if v.Hi != 0 {
		return 64 + bits.Len64(v.Hi)
	}
	return bits.Len64(v.Lo)
}

// Ones returns the Value whose n lowest bits are set, 0 <= n <= 128.
func Ones(n int) Value {
	switch {
	case n <= 0:
		return Value{}
	case n < 64:
		return Value{Lo: 1<<n - 1}
	case n < 128:
		return Value{Hi: 1<<(n-64) - 1, Lo: ^uint64(0)}
	}
	return Value{^uint64(0), ^uint64(0)}
}

// Shl returns v shifted left by n bits, 0 <= n <= 128.
func (v Value) Shl(n int) Value {
	if n >= 64 {
		return Value{Hi: v.Lo << (n - 64)}
	}
	return Value{v.Hi<<n | v.Lo>>(64-n), v.Lo << n}
}

// Shr returns v shifted right by n bits, 0 <= n <= 128.
func (v Value) Shr(n int) Value {
	if n >= 64 {
		return Value{Lo: v.Hi >> (n - 64)}
	}
	return Value{v.Hi >> n, v.Lo>>n | v.Hi<<(64-n)}
}

// String writes v in decimal when it fits 64 bits, else in hexadecimal.
func (v Value) String() string {
	if v.Hi == 0 {
		return fmt.Sprintf("%d", v.Lo)
	}
	return fmt.Sprintf("%#x%016x", v.Hi, v.Lo)
}

// mapped4 is the high half of every IPv4 address in an IP field: ::ffff:0:0/96.
const mapped4 = 0xffff << 32

// Addr4 returns an IPv4 address as the value of an IPv4 field (32 bits).
// An IPv4-mapped IPv6 address counts as IPv4; any other address gives 0.
func Addr4(a netip.Addr) Value {
	if a = a.Unmap(); !a.Is4() {
		return Value{}
	}
	b := a.As4()
	return U64(uint64(binary.BigEndian.Uint32(b[:])))
}

// Addr16 returns an address as the value of an IPv6 or IP field (128 bits);
// an IPv4 address a.b.c.d becomes ::ffff:a.b.c.d.
func Addr16(a netip.Addr) Value {
	b := a.As16()
	return Value{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Addr returns the 128-bit value v as an address, IPv4-mapped ones as IPv4.
func (v Value) Addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.Hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
	return netip.AddrFrom16(b).Unmap()
}

// Addr4 returns the 32-bit value v as an IPv4 address.
func (v Value) Addr4() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(v.Lo))
	return netip.AddrFrom4(b)
}

// is4in6 reports whether the 128-bit value v is an IPv4-mapped address.
func (v Value) is4in6() bool { return v.Hi == 0 && v.Lo>>32 == mapped4>>32 }

// MaxNameLen is the longest interface name, in bytes, that a Name field holds
// (IFNAMSIZ-1 of Linux).
const MaxNameLen = 15

// NameValue returns an interface name as the value of a Name field: its bytes
// from the top, zero-padded to 128 bits, so that the pattern "eth+" is the
// interval of all names that begin with "eth". Longer names are cut to
// MaxNameLen bytes, as the kernel does.
func NameValue(name string) Value {
	var b [16]byte
	copy(b[:MaxNameLen], name)
	return Value{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Name returns the interface name that v stands for, and false when v is not
// the value of a name.
func (v Value) Name() (string, bool) {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.Hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
	n := 0
	for n < len(b) && b[n] != 0 {
		n++
	}
	for _, c := range b[n:] {
		if c != 0 {
			return "", false
		}
	}
	return string(b[:n]), n <= MaxNameLen
}

// Interval is the closed interval [Lo, Hi] of field values; Lo <= Hi.
type Interval struct {
	Lo, Hi Value
}

// Point returns the interval that holds x alone.
func Point(x uint64) Interval { return Interval{U64(x), U64(x)} }

// Span returns the interval [lo, hi] of numbers below 2^64.
func Span(lo, hi uint64) Interval { return Interval{U64(lo), U64(hi)} }

// PrefixInterval returns the interval of all values of a bits-wide field that
// agree with v in their first length bits.
func PrefixInterval(v Value, length, bits int) Interval {
	low := Ones(bits - length)
	lo := v.And(low.Not())
	return Interval{lo, lo.Or(low)}
}

// Contains reports whether lo <= v <= hi.
func (i Interval) Contains(v Value) bool { return !v.Less(i.Lo) && !i.Hi.Less(v) }

// Overlaps reports whether i and j have a value in common.
func (i Interval) Overlaps(j Interval) bool { return !j.Hi.Less(i.Lo) && !i.Hi.Less(j.Lo) }

// Covers reports whether every value of j is in i.
func (i Interval) Covers(j Interval) bool { return !j.Lo.Less(i.Lo) && !i.Hi.Less(j.Hi) }

// PrefixLen returns the length of the prefix of a bits-wide field that i is,
// and false when i is not a prefix.
func (i Interval) PrefixLen(bits int) (int, bool) {
	diff := i.Lo.Xor(i.Hi)
	n := diff.BitLen()
	if diff != Ones(n) || i.Lo.And(diff) != (Value{}) {
		return 0, false
	}
	return bits - n, true
}

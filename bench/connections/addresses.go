package connections

// Which addresses the ends of connections have.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Addresses says how the addresses of one side are distributed. The zero value
// and ParseAddresses("random") draw from all addresses of the global Internet.
type Addresses struct {
	places []place
	weight uint64 // of all places
	text   string
}

// place is one of the things that Addresses draws from.
type place struct {
	prefix netip.Prefix
	weight uint64 // with those of the places before it
	how    order
	odd    uint64 // scatters the ranks over the prefix
}

// order is how the addresses of a place are drawn.
type order uint8

const (
	uniform order = iota
	zipf          // by rank, the second half as often as the first
	inTurn        // one after the other
)

// MaxPlaces is the most that a list of addresses holds.
const MaxPlaces = 1000

// ParseAddresses reads "random", or a list with commas of addresses and
// prefixes:
//
//	192.0.2.7
//	10.0.0.0/8=3,2001:db8::/32    three times as often as the other
//	zipf:10.0.0.0/16              few addresses often, most rarely
//	turn:10.0.0.0/24              one after the other, for scans
//
// From an IPv4 prefix of up to /30 the first and the last address are left out.
// All must be of one family, which New checks.
func ParseAddresses(s string) (Addresses, error) {
	a := Addresses{text: s}
	if s == "random" {
		return a, nil
	}
	for word := range strings.SplitSeq(s, ",") {
		p, weight, err := parsePlace(strings.TrimSpace(word))
		if err != nil {
			return Addresses{}, err
		}
		if len(a.places) == MaxPlaces {
			return Addresses{}, fmt.Errorf("more than %d addresses and prefixes", MaxPlaces)
		}
		if len(a.places) > 0 && a.Is6() != p.prefix.Addr().Is6() {
			return Addresses{}, fmt.Errorf("%s and %s: IPv4 and IPv6 in one list", a.places[0].prefix, p.prefix)
		}
		a.weight += weight
		p.weight = a.weight
		p.odd = mix(uint64(len(a.places))+golden) | 1
		a.places = append(a.places, p)
	}
	return a, nil
}

// Multicast and what is reserved behind it in IPv4, multicast in IPv6.
var multicast4, multicast6 = netip.MustParsePrefix("224.0.0.0/3"), netip.MustParsePrefix("ff00::/8")

func parsePlace(s string) (p place, weight uint64, err error) {
	if rest, ok := strings.CutPrefix(s, "zipf:"); ok {
		s, p.how = rest, zipf
	} else if rest, ok := strings.CutPrefix(s, "turn:"); ok {
		s, p.how = rest, inTurn
	}
	s, number, weighted := strings.Cut(s, "=")
	weight = 1
	if weighted {
		if weight, err = strconv.ParseUint(number, 10, 20); err != nil || weight == 0 {
			return p, 0, fmt.Errorf("%q is no weight, which is 1 to 1048575", number)
		}
	}
	if strings.Contains(s, "/") {
		p.prefix, err = netip.ParsePrefix(s)
		if err == nil && p.prefix != p.prefix.Masked() {
			return p, 0, fmt.Errorf("%s has bits behind its length; %s has none", s, p.prefix.Masked())
		}
	} else {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(s); err == nil {
			if addr.Zone() != "" {
				return p, 0, fmt.Errorf("%s: an address with a zone", s)
			}
			p.prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	if err != nil {
		return p, 0, fmt.Errorf("%q is not \"random\", an address, a prefix, zipf:PREFIX or turn:PREFIX", s)
	}
	addr := p.prefix.Addr()
	switch {
	case addr.Is4In6():
		return p, 0, fmt.Errorf("%s: an IPv4 address in IPv6 form", s)
	case p.prefix.Overlaps(multicast4), p.prefix.Overlaps(multicast6), addr.IsUnspecified() && p.prefix.IsSingleIP():
		return p, 0, fmt.Errorf("%s holds addresses that no host has, such as those of multicast", s)
	}
	return p, weight, nil
}

// Random reports whether the addresses are drawn from the whole Internet, of
// either family.
func (a Addresses) Random() bool { return len(a.places) == 0 }

// Is6 reports whether the addresses are of IPv6; those of Random are of none.
func (a Addresses) Is6() bool { return len(a.places) > 0 && a.places[0].prefix.Addr().Is6() }

// String returns the text that was parsed.
func (a Addresses) String() string {
	if a.text == "" {
		return "random"
	}
	return a.text
}

// only returns the address when there is but one.
func (a Addresses) only() (addr netip.Addr, ok bool) {
	if len(a.places) != 1 || !a.places[0].prefix.IsSingleIP() {
		return addr, false
	}
	return a.places[0].prefix.Addr(), true
}

// address is an address of either family; IPv4 has the last four bytes.
type address struct{ hi, lo uint64 }

// draw returns an address for the n-th connection.
func (a *Addresses) draw(r *rng, v6 bool, n uint64) address {
	if len(a.places) == 0 {
		return drawGlobal(r, v6)
	}
	i := 0
	if len(a.places) > 1 {
		x := r.below(a.weight)
		for x >= a.places[i].weight {
			i++
		}
	}
	return a.places[i].draw(r, n)
}

func (p *place) draw(r *rng, n uint64) address {
	addr := p.prefix.Addr()
	base := toAddress(addr)
	free := addr.BitLen() - p.prefix.Bits()
	if free == 0 {
		return base
	}
	// size is how many hosts there are, as far as 64 bits tell; skip leaves out
	// the address of the network.
	size, skip := uint64(1)<<min(free, 63), uint64(0)
	if addr.Is4() && free >= 2 {
		size, skip = size-2, 1
	}
	switch p.how {
	case zipf:
		ranks := min(size, 1<<32)
		rank := r.zipf(ranks)
		if skip == 0 { // a power of two: an odd factor only swaps the places
			return address{base.hi, base.lo | rank*p.odd&(size-1)}
		}
		return address{base.hi, base.lo + rank + skip}
	case inTurn:
		return address{base.hi, base.lo + n%size + skip}
	}
	if free > 63 {
		x := address{0, r.next()}
		if free > 64 {
			x.hi = r.next() >> (128 - free)
		} else if free == 64 {
			x.hi = 0
		}
		return address{base.hi | x.hi, base.lo | x.lo}
	}
	return address{base.hi, base.lo + r.below(size) + skip}
}

// notGlobal are the IPv4 prefixes that no host of the Internet has an address
// in (IANA's registry of special-purpose addresses, RFC 6890), multicast and
// reserved addresses.
var notGlobal = func() (list [][2]uint32) {
	for _, s := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"} {
		p := netip.MustParsePrefix(s)
		b := p.Addr().As4()
		list = append(list, [2]uint32{binary.BigEndian.Uint32(b[:]), ^uint32(0) << (32 - p.Bits())})
	}
	return list
}()

// drawGlobal draws from all global addresses: in IPv6 those of 2000::/3 but for
// 2001::/16 and 2002::/16.
func drawGlobal(r *rng, v6 bool) address {
	for {
		x := r.next()
		if v6 {
			if x = x>>3 | 1<<61; x>>48 != 0x2001 && x>>48 != 0x2002 {
				return address{x, r.next()}
			}
			continue
		}
		lo := uint32(x >> 32)
		good := true
		for _, p := range notGlobal {
			good = good && lo&p[1] != p[0]
		}
		if good {
			return address{0, uint64(lo)}
		}
	}
}

func toAddress(a netip.Addr) address {
	if a.Is4() {
		b := a.As4()
		return address{0, uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// sum adds the pairs of bytes, for checksums.
func (a address) sum() uint64 {
	return a.hi>>48 + a.hi>>32&0xffff + a.hi>>16&0xffff + a.hi&0xffff +
		a.lo>>48 + a.lo>>32&0xffff + a.lo>>16&0xffff + a.lo&0xffff
}

// family returns whether connections between the two are of IPv6. Where both
// are random, v6 says it.
func family(from, to Addresses, v6 bool) (bool, error) {
	for _, a := range []Addresses{from, to} {
		if v6 && !a.Random() && !a.Is6() {
			return false, fmt.Errorf("%s is no IPv6 address", a)
		}
	}
	switch {
	case from.Random():
		return to.Is6() || v6, nil
	case to.Random():
		return from.Is6(), nil
	case from.Is6() != to.Is6():
		return false, fmt.Errorf("%s and %s: one is of IPv4, the other of IPv6", from, to)
	}
	f, ok1 := from.only()
	t, ok2 := to.only()
	if ok1 && ok2 && f == t {
		return false, errors.New("both ends are the host " + f.String())
	}
	return from.Is6(), nil
}

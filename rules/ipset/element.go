package ipset

// Elements: from "10.0.0.0/24,tcp:80,eth0" to entries, and back.

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// expand reads an element; ranges and prefixes of parts that are single values
// stand for several entries. The entries are copies of e but for their keys.
func (s *Set) expand(text string, e Entry, limit int) ([]Entry, error) {
	words := strings.Split(text, ",")
	if len(words) > len(s.parts) || len(words) < len(s.parts) && (s.Type != "bitmap:ip,mac" || len(words) != 1) {
		return nil, fmt.Errorf("an element of %s has %d parts", s.Type, len(s.parts))
	}
	list := []Entry{e}
	addrs := 0
	for i, w := range words {
		var next []Entry
		each := func(set func(*Entry)) error {
			if len(next)+len(list) > limit {
				return rules.ErrLimit
			}
			for _, old := range list {
				set(&old)
				next = append(next, old)
			}
			return nil
		}
		var err error
		switch s.parts[i] {
		case partIP, partNet:
			err = s.expandAddr(w, addrs, s.parts[i] == partNet, limit, each)
			addrs++
		case partPort:
			err = s.expandPort(w, each)
		case partMAC:
			var mac uint64
			if mac, err = parseMAC(w); err == nil {
				err = each(func(e *Entry) { e.mac, e.hasMAC = mac, true })
			}
		case partMark:
			var n uint64
			if n, err = strconv.ParseUint(w, 0, 32); err != nil {
				return nil, fmt.Errorf("%q is not a mark", w)
			}
			err = each(func(e *Entry) { e.mark = uint32(n) & s.markMask })
		case partIface:
			name, phys := strings.CutPrefix(w, "physdev:")
			if name == "" || len(name) > rules.MaxNameLen {
				return nil, fmt.Errorf("%q is not an interface name of 1 to %d bytes", w, rules.MaxNameLen)
			}
			err = each(func(e *Entry) { e.iface, e.phys = name, phys })
		case partSet:
			err = each(func(e *Entry) { e.member = w })
		}
		if err != nil {
			return nil, err
		}
		list = next
	}
	return list, nil
}

func (s *Set) expandAddr(text string, at int, net bool, limit int, each func(func(*Entry)) error) error {
	nets, err := s.nets(text, limit)
	if err != nil {
		return err
	}
	for _, n := range nets {
		if net {
			length, _ := n.PrefixLen(s.bits())
			if err := each(func(e *Entry) { e.ip[at], e.length[at] = n.Lo, uint8(length) }); err != nil {
				return err
			}
			continue
		}
		if s.Family == 6 && n.Lo != n.Hi {
			return fmt.Errorf("%q: IPv6 addresses of %s are single ones", text, s.Type)
		}
		if s.bitmap && (n.Lo.Lo < s.lo || n.Hi.Lo > s.hi) {
			return fmt.Errorf("%q is outside the set's range", text)
		}
		for v := n.Lo; ; v = v.Next() {
			masked := v.And(s.mask)
			if masked == (rules.Value{}) && s.Type == "hash:ip" {
				return fmt.Errorf("%q: the address 0 cannot be in a %s", text, s.Type)
			}
			if err := each(func(e *Entry) { e.ip[at] = masked }); err != nil {
				return err
			}
			if v == n.Hi {
				break
			}
			// What the mask makes equal is one entry.
			if low := s.mask.Not().And(rules.Ones(s.bits())); low == rules.Ones(low.BitLen()) {
				if v = v.Or(low); !v.Less(n.Hi) {
					break
				}
			}
		}
	}
	return nil
}

// nets reads an address, a prefix or a range as networks.
func (s *Set) nets(text string, limit int) ([]rules.Interval, error) {
	bits := s.bits()
	if from, to, ok := strings.Cut(text, "-"); ok {
		lo, err := s.addr(from)
		if err != nil {
			return nil, err
		}
		hi, err := s.addr(to)
		if err != nil {
			return nil, err
		}
		if hi.Less(lo) {
			lo, hi = hi, lo
		}
		var list []rules.Interval
		for {
			length := bits
			n := rules.PrefixInterval(lo, length, bits)
			for length > 0 { // the largest network that begins at lo and ends in time
				wider := rules.PrefixInterval(lo, length-1, bits)
				if wider.Lo != lo || hi.Less(wider.Hi) {
					break
				}
				length--
				n = wider
			}
			if list = append(list, n); len(list) > limit {
				return nil, rules.ErrLimit
			}
			if n.Hi == hi {
				return list, nil
			}
			lo = n.Hi.Next()
		}
	}
	addr, length, hasLength := strings.Cut(text, "/")
	v, err := s.addr(addr)
	if err != nil {
		return nil, err
	}
	n := bits
	if hasLength {
		if n, err = strconv.Atoi(length); err != nil || n < 0 || n > bits {
			return nil, fmt.Errorf("%q: the prefix length is not in 0..%d", text, bits)
		}
	}
	return []rules.Interval{rules.PrefixInterval(v, n, bits)}, nil
}

func (s *Set) addr(text string) (rules.Value, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4() != (s.Family == 4) {
		return rules.Value{}, fmt.Errorf("%q is not an IPv%d address", text, s.Family)
	}
	return addrValue(a), nil
}

func addrValue(a netip.Addr) rules.Value {
	if a.Is4() {
		return rules.Addr4(a)
	}
	return rules.Addr16(a)
}

func (s *Set) addrText(v rules.Value) string {
	if s.Family == 6 {
		var b [16]byte
		for i := range 8 {
			b[i], b[8+i] = byte(v.Hi>>(56-8*i)), byte(v.Lo>>(56-8*i))
		}
		return netip.AddrFrom16(b).String()
	}
	return v.Addr4().String()
}

func port(text string) (uint16, error) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return uint16(n), nil
	}
	if p, ok := rules.ServicePort(text); ok {
		return p, nil
	}
	return 0, fmt.Errorf("%q is not a port", text)
}

const (
	protoICMP   = 1
	protoICMPv6 = 58
)

// icmpCodes are the names of ICMP types and codes that elements may have.
var icmpCodes = [2]map[string]uint16{
	{"echo-reply": 0, "pong": 0, "network-unreachable": 0x300, "host-unreachable": 0x301, "protocol-unreachable": 0x302,
		"port-unreachable": 0x303, "fragmentation-needed": 0x304, "source-route-failed": 0x305, "network-unknown": 0x306,
		"host-unknown": 0x307, "network-prohibited": 0x309, "host-prohibited": 0x30a, "TOS-network-unreachable": 0x30b,
		"TOS-host-unreachable": 0x30c, "communication-prohibited": 0x30d, "host-precedence-violation": 0x30e, "precedence-cutoff": 0x30f,
		"source-quench": 0x400, "network-redirect": 0x500, "host-redirect": 0x501, "TOS-network-redirect": 0x502, "TOS-host-redirect": 0x503,
		"echo-request": 0x800, "ping": 0x800, "router-advertisement": 0x900, "router-solicitation": 0xa00,
		"ttl-zero-during-transit": 0xb00, "ttl-zero-during-reassembly": 0xb01, "ip-header-bad": 0xc00, "required-option-missing": 0xc01,
		"timestamp-request": 0xd00, "timestamp-reply": 0xe00, "address-mask-request": 0x1100, "address-mask-reply": 0x1200},
	{"no-route": 0x100, "communication-prohibited": 0x101, "address-unreachable": 0x103, "port-unreachable": 0x104,
		"packet-too-big": 0x200, "ttl-zero-during-transit": 0x300, "ttl-zero-during-reassembly": 0x301, "bad-header": 0x400,
		"unknown-header-type": 0x401, "unknown-option": 0x402, "echo-request": 0x8000, "ping": 0x8000, "echo-reply": 0x8100, "pong": 0x8100,
		"router-solicitation": 0x8500, "router-advertisement": 0x8600, "neighbour-solicitation": 0x8700, "neigbour-solicitation": 0x8700,
		"neighbour-advertisement": 0x8800, "neigbour-advertisement": 0x8800, "redirect": 0x8900},
}

// expandPort reads [PROTO:]PORT[-PORT], TYPE/CODE of ICMP or its name.
func (s *Set) expandPort(text string, each func(func(*Entry)) error) error {
	proto := uint8(6)
	name, rest, has := strings.Cut(text, ":")
	if has {
		p, ok := rules.ProtocolNumber(name)
		if n, err := strconv.ParseUint(name, 10, 8); err == nil {
			p, ok = uint8(n), true
		}
		if !ok {
			return fmt.Errorf("%q is not a protocol", name)
		}
		proto, text = p, rest
	}
	if proto == protoICMP || proto == protoICMPv6 {
		code, ok := icmpCodes[0][text], false
		if _, ok = icmpCodes[0][text]; proto == protoICMPv6 {
			code, ok = icmpCodes[1][text]
		}
		if t, c, isPair := strings.Cut(text, "/"); !ok && isPair {
			x, err1 := strconv.ParseUint(t, 10, 8)
			y, err2 := strconv.ParseUint(c, 10, 8)
			code, ok = uint16(x<<8|y), err1 == nil && err2 == nil
		}
		if !ok {
			return fmt.Errorf("%q is neither TYPE/CODE of ICMP nor a known name", text)
		}
		return each(func(e *Entry) { e.port, e.proto = code, proto })
	}
	from, to, ranged := strings.Cut(text, "-")
	lo, err := port(from)
	if err != nil {
		return err
	}
	hi := lo
	if ranged {
		if hi, err = port(to); err != nil {
			return err
		}
	}
	if hi < lo {
		lo, hi = hi, lo
	}
	if s.bitmap {
		proto = 0
		if uint64(lo) < s.lo || uint64(hi) > s.hi {
			return fmt.Errorf("%q is outside the set's range", text)
		}
	}
	for p := int(lo); p <= int(hi); p++ {
		if err := each(func(e *Entry) { e.port, e.proto = uint16(p), proto }); err != nil {
			return err
		}
	}
	return nil
}

func parseMAC(s string) (x uint64, err error) {
	rest := s
	for i := range 6 {
		part, r, more := strings.Cut(rest, ":")
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 || more == (i == 5) {
			return 0, fmt.Errorf("%q is not a MAC address", s)
		}
		x, rest = x<<8|b, r
	}
	return x, nil
}

// element writes an entry's element as ipset does.
func (s *Set) element(e *Entry) string {
	var b strings.Builder
	addrs := 0
	for i, p := range s.parts {
		if p == partMAC && !e.hasMAC {
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		switch p {
		case partIP, partNet:
			b.WriteString(s.addrText(e.ip[addrs]))
			if p == partNet && int(e.length[addrs]) < s.bits() {
				fmt.Fprintf(&b, "/%d", e.length[addrs])
			}
			addrs++
		case partPort:
			b.WriteString(s.portText(e))
		case partMAC:
			for j := range 6 {
				if j > 0 {
					b.WriteByte(':')
				}
				fmt.Fprintf(&b, "%02X", byte(e.mac>>(40-8*j)))
			}
		case partMark:
			fmt.Fprintf(&b, "0x%08x", e.mark)
		case partIface:
			if e.phys {
				b.WriteString("physdev:")
			}
			b.WriteString(e.iface)
		case partSet:
			b.WriteString(e.member)
		}
	}
	return b.String()
}

func (s *Set) portText(e *Entry) string {
	if s.bitmap {
		return strconv.Itoa(int(e.port))
	}
	name := rules.ProtocolName(e.proto)
	if name == "" {
		name = strconv.Itoa(int(e.proto))
	}
	if e.proto != protoICMP && e.proto != protoICMPv6 {
		return name + ":" + strconv.Itoa(int(e.port))
	}
	codes := icmpCodes[0]
	if e.proto == protoICMPv6 {
		codes = icmpCodes[1]
	}
	best := ""
	for n, c := range codes {
		if c == e.port && len(n) > len(best) { // the full names are longer than the short ones
			best = n
		}
	}
	if best == "" {
		best = fmt.Sprintf("%d/%d", e.port>>8, e.port&255)
	}
	return name + ":" + best
}

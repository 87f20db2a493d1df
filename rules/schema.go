package rules

// Schemas: which fields a packet has, how wide they are and how they are
// written. A schema is fixed before the first rule; rules and keys refer to
// fields by their index in it.

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a schema.
const (
	MaxFields    = 32  // fields in a schema
	MaxFieldBits = 128 // bits in a field
)

// Kind says how the values of a field are written and read.
type Kind uint8

// The kinds of fields. The width a kind asks for is in parentheses.
const (
	Number Kind = iota // decimal or 0x, any width
	Hex                // like Number, printed in hexadecimal
	IPv4               // IPv4 address, prefix or address/mask (32)
	IPv6               // IPv6 address, prefix or address/mask (128)
	IP                 // address of either family; IPv4 as ::ffff:a.b.c.d (128)
	Port               // number or service name (16)
	Proto              // number or protocol name (8)
	Name               // interface name, "eth+" for a prefix (128)
	MAC                // aa:bb:cc:dd:ee:ff (48)
	Bits               // a set of named bits, see Field.Symbols
	Enum               // a number with names, see Field.Symbols
	numKinds
)

var kindNames = [numKinds]string{"number", "hex", "ipv4", "ipv6", "ip", "port", "proto", "name", "mac", "bits", "enum"}

var kindBits = [numKinds]int{IPv4: 32, IPv6: 128, IP: 128, Port: 16, Proto: 8, Name: 128, MAC: 48}

// String returns the kind's name as the native format writes it.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind returns the kind of the given name.
func ParseKind(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// Symbol is a name for a value of an Enum field or for a bit mask of a Bits
// field.
type Symbol struct {
	Name  string
	Value uint64
}

// Field describes one field of a schema.
type Field struct {
	// Name identifies the field: a letter, then letters, digits, '_', '.' or
	// '-'. The names that packet decoding fills in are listed with Firewall.
	Name string
	// Bits is the width, 1 to 128. Zero means the width that Kind asks for.
	Bits int
	// Kind says how values are written.
	Kind Kind
	// Symbols names values of Enum and bits of Bits fields.
	Symbols []Symbol
}

// Max returns the largest value of the field.
func (f *Field) Max() Value { return Ones(f.Bits) }

// Full returns the interval of all values of the field.
func (f *Field) Full() Interval { return Interval{Hi: f.Max()} }

// Schema is an immutable sequence of fields. Schemas are compared by pointer:
// rules and keys made for one schema have no meaning in another.
//
// All methods may be called concurrently.
type Schema struct {
	fields []Field
	byName map[string]int
	offset []int // first key word of each field
	width  []int // key words of each field
	words  int

	hotdrop  int    // first word of the field of that name, 0 without
	tuple    [5]int // fields of the 5-tuple, -1 where there is none
	notTuple uint32 // the other fields
}

// NewSchema makes a schema of up to MaxFields fields. An empty schema is
// allowed: its rules have no conditions, so that the first one always matches.
func NewSchema(fields ...Field) (*Schema, error) {
	if len(fields) > MaxFields {
		return nil, fmt.Errorf("schema: %d fields: %w (at most %d)", len(fields), ErrLimit, MaxFields)
	}
	s := &Schema{byName: make(map[string]int, len(fields)), words: 1}
	for i, f := range fields {
		if !validFieldName(f.Name) {
			return nil, fmt.Errorf("schema: field %d: %q is not a field name", i+1, f.Name)
		}
		if _, dup := s.byName[f.Name]; dup {
			return nil, fmt.Errorf("schema: field %q appears twice", f.Name)
		}
		if f.Kind >= numKinds {
			return nil, fmt.Errorf("schema: field %q: unknown %v", f.Name, f.Kind)
		}
		want := kindBits[f.Kind]
		if f.Bits == 0 {
			f.Bits = want
		}
		if f.Bits < 1 || f.Bits > MaxFieldBits {
			return nil, fmt.Errorf("schema: field %q: width %d is not in 1..%d", f.Name, f.Bits, MaxFieldBits)
		}
		if want != 0 && f.Bits != want {
			return nil, fmt.Errorf("schema: field %q: kind %v needs %d bits, not %d", f.Name, f.Kind, want, f.Bits)
		}
		f.Symbols = append([]Symbol(nil), f.Symbols...)
		for j, sym := range f.Symbols {
			if U64(sym.Value).BitLen() > f.Bits {
				return nil, fmt.Errorf("schema: field %q: symbol %s=%#x does not fit %d bits", f.Name, sym.Name, sym.Value, f.Bits)
			}
			if !validFieldName(sym.Name) {
				return nil, fmt.Errorf("schema: field %q: %q is not a symbol name", f.Name, sym.Name)
			}
			same := func(t Symbol) bool { return strings.EqualFold(t.Name, sym.Name) }
			if slices.ContainsFunc(f.Symbols[:j], same) || f.Kind == Bits && same(Symbol{Name: "none"}) {
				return nil, fmt.Errorf("schema: field %q: symbol name %q is taken", f.Name, sym.Name)
			}
		}
		w := (f.Bits + 31) / 32
		s.byName[f.Name] = i
		s.fields = append(s.fields, f)
		s.offset = append(s.offset, s.words)
		s.width = append(s.width, w)
		s.words += w
	}
	for i, name := range [...]string{"src", "dst", "sport", "dport", "proto"} {
		s.tuple[i] = s.Index(name)
	}
	if i := s.Index("hotdrop"); i >= 0 && s.width[i] == 1 {
		s.hotdrop = s.offset[i]
	}
	for i := range s.fields {
		if !slices.Contains(s.tuple[:], i) {
			s.notTuple |= 1 << i
		}
	}
	return s, nil
}

// MustSchema is NewSchema for schemas written in source code; it panics on error.
func MustSchema(fields ...Field) *Schema {
	s, err := NewSchema(fields...)
	if err != nil {
		panic(err)
	}
	return s
}

func validFieldName(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '.' || c == '-')) {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// Len returns the number of fields.
func (s *Schema) Len() int { return len(s.fields) }

// Field returns the field at index i, 0 <= i < Len().
func (s *Schema) Field(i int) *Field { return &s.fields[i] }

// Index returns the index of the named field, or -1.
func (s *Schema) Index(name string) int {
	if i, ok := s.byName[name]; ok {
		return i
	}
	return -1
}

// MustIndex is Index for names written in source code; it panics when the
// schema has no such field.
func (s *Schema) MustIndex(name string) int {
	i := s.Index(name)
	if i < 0 {
		panic("rules: schema has no field " + name)
	}
	return i
}

// Hotdrop returns the value of the field "hotdrop" in k: the headers that the
// packet is cut inside of, see Demand. It is 0 in schemas without the field.
func (s *Schema) Hotdrop(k Key) uint32 {
	if s.hotdrop == 0 {
		return 0
	}
	return k[s.hotdrop]
}

// String lists the fields as the native format's header does.
func (s *Schema) String() string {
	var b strings.Builder
	for i := range s.fields {
		f := &s.fields[i]
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s:%v", f.Name, f.Kind)
		if kindBits[f.Kind] == 0 {
			fmt.Fprintf(&b, ":%d", f.Bits)
		}
		for j, sym := range f.Symbols {
			sep := ","
			if j == 0 {
				sep = ":"
			}
			fmt.Fprintf(&b, "%s%s=%d", sep, sym.Name, sym.Value)
		}
	}
	return b.String()
}

// Equal reports whether s and t have the same fields in the same order.
func (s *Schema) Equal(t *Schema) bool { return s == t || s.String() == t.String() }

// Schemas for common uses. The field names are those that rules/packet fills
// from a decoded packet.
var (
	// IPv4Tuple is the IPv4 5-tuple: src, dst, sport, dport, proto (104 bits).
	IPv4Tuple = MustSchema(
		Field{Name: "src", Kind: IPv4}, Field{Name: "dst", Kind: IPv4},
		Field{Name: "sport", Kind: Port}, Field{Name: "dport", Kind: Port}, Field{Name: "proto", Kind: Proto})

	// IPv6Tuple is the IPv6 5-tuple: src, dst, sport, dport, proto (296 bits).
	IPv6Tuple = MustSchema(
		Field{Name: "src", Kind: IPv6}, Field{Name: "dst", Kind: IPv6},
		Field{Name: "sport", Kind: Port}, Field{Name: "dport", Kind: Port}, Field{Name: "proto", Kind: Proto})

	// IPTuple is the 5-tuple of both families in one rule set: an IPv4 address
	// is the IPv4-mapped one, so that 0.0.0.0/0 matches IPv4 packets only, ::/0
	// every packet, and a rule without addresses matches both.
	IPTuple = MustSchema(
		Field{Name: "src", Kind: IP}, Field{Name: "dst", Kind: IP},
		Field{Name: "sport", Kind: Port}, Field{Name: "dport", Kind: Port}, Field{Name: "proto", Kind: Proto})

	// Firewall has the 20 fields that stateless firewall rules ask for, both
	// families in one set:
	//
	//	src dst sport dport proto   the 5-tuple
	//	iif oif                     interface names
	//	frag                        1 in a fragment that is not the first, else 0
	//	tcpflags                    byte 13 of the TCP header
	//	icmptype icmpcode           of ICMP and, for IPv6 packets, ICMPv6
	//	ctstate                     connection state, see CTStates
	//	mark                        firewall mark
	//	dscp ecn                    the two parts of TOS / traffic class
	//	length                      IP total length in bytes
	//	ttl                         TTL / hop limit
	//	vlan                        VLAN id
	//	smac                        Ethernet source
	//	pkttype                     unicast, broadcast or multicast
	Firewall = MustSchema(
		Field{Name: "src", Kind: IP}, Field{Name: "dst", Kind: IP},
		Field{Name: "sport", Kind: Port}, Field{Name: "dport", Kind: Port}, Field{Name: "proto", Kind: Proto},
		Field{Name: "iif", Kind: Name}, Field{Name: "oif", Kind: Name},
		Field{Name: "frag", Bits: 1},
		Field{Name: "tcpflags", Bits: 8, Kind: Bits, Symbols: TCPFlags},
		Field{Name: "icmptype", Bits: 8}, Field{Name: "icmpcode", Bits: 8},
		Field{Name: "ctstate", Bits: 8, Kind: Bits, Symbols: CTStates},
		Field{Name: "mark", Bits: 32, Kind: Hex},
		Field{Name: "dscp", Bits: 6, Kind: Hex}, Field{Name: "ecn", Bits: 2},
		Field{Name: "length", Bits: 16}, Field{Name: "ttl", Bits: 8},
		Field{Name: "vlan", Bits: 12}, Field{Name: "smac", Kind: MAC},
		Field{Name: "pkttype", Bits: 3, Kind: Enum, Symbols: PacketTypes})
)

// Symbols of the Firewall schema.
var (
	// TCPFlags are the bits of byte 13 of the TCP header (RFC 9293, RFC 3168).
	TCPFlags = []Symbol{{"FIN", 1}, {"SYN", 2}, {"RST", 4}, {"PSH", 8}, {"ACK", 16}, {"URG", 32}, {"ECE", 64}, {"CWR", 128}}
	// CTStates are the connection tracking states; a packet has exactly one of
	// the first five, SNAT and DNAT may come with it.
	CTStates = []Symbol{{"INVALID", 1}, {"ESTABLISHED", 2}, {"RELATED", 4}, {"NEW", 8}, {"UNTRACKED", 16}, {"SNAT", 32}, {"DNAT", 64}}
	// PacketTypes are Linux's PACKET_HOST, PACKET_BROADCAST and PACKET_MULTICAST.
	PacketTypes = []Symbol{{"unicast", 0}, {"broadcast", 1}, {"multicast", 2}}
)

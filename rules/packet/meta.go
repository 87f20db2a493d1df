package packet

// Meta: what rules ask of a packet that its bytes do not say - where it came
// in, which connection, socket or cgroup it belongs to, what the routing
// tables say of its addresses. The caller supplies what it has; what is
// missing stays unknown, and is never guessed.

import "github.com/hipac-go/classifier/rules"

// Meta is what is known of a packet besides its bytes. The zero Meta is that
// of a packet of unknown interfaces and connection state with the mark 0. The
// mark is always present, since every packet in a kernel has one.
type Meta struct {
	Known    Known
	CTState  uint8       // bits of rules.CTStates
	Mark     uint32      // firewall mark
	InIface  rules.Value // rules.NameValue of the interface it came in by
	OutIface rules.Value // rules.NameValue of the interface it leaves by

	// Conn is the packet's connection; nil when it has none, or when
	// connections are not tracked. Evaluation may change it (CONNMARK and the
	// like): give every packet its own, or that of its connection.
	Conn *Conn
	// Env is what the system around the packet says; nil: nothing.
	Env *Env
}

// Known says which parts of a Meta are known.
type Known uint8

// The parts of a Meta that may be unknown.
const (
	KnownIn Known = 1 << iota
	KnownOut
	KnownCTState
)

// SetIn names the interface that the packet came in by. The empty name says
// that there is none (a packet of the machine's own), which is different from
// an interface that is not known: "! -i eth0" holds for it.
func (m *Meta) SetIn(name string) { m.InIface, m.Known = rules.NameValue(name), m.Known|KnownIn }

// SetOut names the interface that the packet leaves by, as SetIn does.
func (m *Meta) SetOut(name string) { m.OutIface, m.Known = rules.NameValue(name), m.Known|KnownOut }

// SetCTState sets the connection state, bits of rules.CTStates.
func (m *Meta) SetCTState(bits uint8) { m.CTState, m.Known = bits, m.Known|KnownCTState }

// Conn is what connection tracking knows of a connection, and of the packet's
// place in it.
type Conn struct {
	ID      uint64      // tells connections apart, for state that is kept per connection
	Reply   bool        // the packet goes in the reply direction
	Proto   uint8       // IP protocol
	Zone    uint16      // conntrack zone
	Mark    uint32      // connection mark
	SecMark uint32      // security mark, 0 for none
	Status  uint32      // bits of CTStatuses
	Expires uint32      // seconds that the entry has left
	Labels  [2]uint64   // 128 labels, label 0 the lowest bit of Labels[0]
	Helper  string      // name of the helper that expected the connection, its master's; "" for none
	Orig    [2]Endpoint // source and destination in the original direction
	Repl    [2]Endpoint // and in the reply direction
	Seen    [2]Traffic  // packets and bytes so far, this packet's own counted: original, reply
}

// Endpoint is an address, as in Packet.Src, and a port.
type Endpoint struct {
	Addr [4]uint32
	Port uint16
}

// Traffic counts packets and their bytes.
type Traffic struct{ Packets, Bytes uint64 }

// Connection status bits, of Conn.Status, as Linux numbers them (enum
// ip_conntrack_status).
var CTStatuses = []rules.Symbol{{Name: "EXPECTED", Value: 1}, {Name: "SEEN_REPLY", Value: 2}, {Name: "ASSURED", Value: 4}, {Name: "CONFIRMED", Value: 8}}

// Env is what the system around a packet says of it. A nil pointer, or a Has
// bit that is not set, says that the part is not known.
type Env struct {
	Has EnvFields

	CPU                    uint32 // that handles the packet
	InGroup                uint32 // device group of the interface it came in by
	OutGroup               uint32 // and of the one it leaves by
	Realm                  uint32 // routing realm (tclassid) of its route
	Priority               uint32 // queueing class, as CLASSIFY sets it
	SecMark                uint32 // security mark
	SrcType                uint16 // bits of AddrTypes: what the routing tables say of the source
	DstType                uint16 // and of the destination
	SrcTypeIn, DstTypeIn   uint16 // the same, asked of the interface it came in by only
	SrcTypeOut, DstTypeOut uint16 // the same, of the interface it leaves by
	PathMTU                uint32 // smaller MTU of the ways to its destination and back to its source
	// InAddr is the primary address of the interface it came in by, OutAddr that
	// of the interface it leaves by, as in Packet.Src.
	InAddr, OutAddr [4]uint32
	// Transparent says that a transparent socket takes what TPROXY hands over.
	Transparent bool

	Owner       *Owner       // the socket that sends it
	Cgroup      *Cgroup      // the control group of its socket
	Socket      *Socket      // the local socket that would take it
	Bridge      *Bridge      // its way through a bridge
	Policy      *Policy      // its IPsec transformations
	ReversePath *ReversePath // the way back to its source
	IPVS        *IPVS        // its virtual server connection
}

// EnvFields says which plain parts of an Env are known.
type EnvFields uint16

// The parts of an Env with a bit of their own.
const (
	HasCPU EnvFields = 1 << iota
	HasInGroup
	HasOutGroup
	HasRealm
	HasAddrTypes    // SrcType, DstType
	HasAddrTypesIn  // SrcTypeIn, DstTypeIn
	HasAddrTypesOut // SrcTypeOut, DstTypeOut
	HasPathMTU
	HasInAddr
	HasOutAddr
	HasTransparent
)

// AddrTypes are the kinds of addresses that a routing table tells apart
// (RTN_* of Linux), as bits of Env.SrcType and DstType.
var AddrTypes = []rules.Symbol{{Name: "UNSPEC", Value: 1 << 0}, {Name: "UNICAST", Value: 1 << 1}, {Name: "LOCAL", Value: 1 << 2},
	{Name: "BROADCAST", Value: 1 << 3}, {Name: "ANYCAST", Value: 1 << 4}, {Name: "MULTICAST", Value: 1 << 5},
	{Name: "BLACKHOLE", Value: 1 << 6}, {Name: "UNREACHABLE", Value: 1 << 7}, {Name: "PROHIBIT", Value: 1 << 8},
	{Name: "THROW", Value: 1 << 9}, {Name: "NAT", Value: 1 << 10}, {Name: "XRESOLVE", Value: 1 << 11}}

// Owner is the socket that sends a packet.
type Owner struct {
	Exists bool // there is one; the rest counts only then
	File   bool // it has a file, and so a user and a group
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary groups
}

// Cgroup is the control group of a packet's socket.
type Cgroup struct {
	Exists  bool   // there is a full socket; the rest counts only then
	ClassID uint32 // net_cls class
	Path    string // in the unified hierarchy, "/" the root
}

// Socket is the local socket that a packet would be delivered to.
type Socket struct {
	Found       bool // there is one; the rest counts only then
	Wildcard    bool // bound to the unspecified address
	Transparent bool // has IP_TRANSPARENT
	Mark        uint32
}

// Bridge says how a packet goes through a bridge.
type Bridge struct {
	Bridged bool        // it is bridged, not routed
	In, Out rules.Value // rules.NameValue of the ports; 0: none
}

// Policy says which IPsec transformations a packet has undergone (In) or is
// to undergo (Out), outermost last as the kernel keeps them.
type Policy struct {
	In, Out []Transformation
}

// Transformation is one IPsec security association.
type Transformation struct {
	ReqID    uint32
	SPI      uint32
	Proto    uint8 // 50 ESP, 51 AH, 108 IPComp
	Tunnel   bool  // tunnel mode, else transport
	Src, Dst [4]uint32
}

// ReversePath says how the machine would send packets to a packet's source.
type ReversePath struct {
	Type      uint16 // bits of AddrTypes: what the route is
	Interface bool   // it goes out by the interface that the packet came in by
}

// IPVS is the virtual server connection of a packet.
type IPVS struct {
	Found   bool // there is one; the rest counts only then
	Reply   bool // the packet goes in the reply direction
	Proto   uint8
	Addr    [4]uint32
	Port    uint16
	Control uint16 // port of the controlling connection, 0 without one
	Method  uint8  // 0 masquerading, 2 tunnel, 3 direct routing (IP_VS_CONN_F_*)
}

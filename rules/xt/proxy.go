package xt

// Targets that hand a packet to this machine: TPROXY and SYNPROXY, and
// CLUSTERIP, which keeps it from all machines of a cluster but one.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// TPROXY is the target TPROXY: it hands the packet to a local transparent
// socket, sets its mark to mark &^ Mask ^ Value, and accepts it. Without such a
// socket, as Env.Transparent says, it drops the packet.
type TPROXY struct {
	Port        uint16
	Addr        [4]uint32
	Value, Mask uint32
}

// Apply looks for the socket and sets the mark. The action behind it accepts.
func (x *TPROXY) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "TPROXY", unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	switch {
	case p.Has&packet.HasPorts == 0:
		return rules.DropNow, ""
	case p.Env == nil || p.Env.Has&packet.HasTransparent == 0:
		return rules.Unsure, "whether a transparent socket takes it"
	case !p.Env.Transparent:
		t.Record(at, "TPROXY", "", "no transparent socket takes it", "")
		return rules.DropNow, ""
	}
	to, port := x.Addr, x.Port
	if port == 0 {
		port = p.DstPort
	}
	if isZero(&to, p.Family) {
		to = p.Env.InAddr // the zero address when it is not known
	}
	where := "port " + itoa(uint64(port))
	if !isZero(&to, p.Family) {
		where = endpoint(&to, port, p)
	}
	t.Record(at, "TPROXY", "", "to the socket at "+where, "")
	if mark := p.Mark&^x.Mask ^ x.Value; mark != p.Mark {
		t.setMark(at, "TPROXY", mark)
	}
	return rules.Yes, ""
}

// SYNPROXY is the target SYNPROXY: it answers the beginning of a TCP connection
// with a cookie in place of the server, and takes the packet away; it takes the
// answer to that, too, when the cookie is right, and drops it when it is not,
// which is not known here. Other packets go on.
type SYNPROXY struct{ Detail string }

// Apply says which of these packets it is. The action behind it is Stolen.
func (x *SYNPROXY) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "SYNPROXY", unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	if p.Has&packet.HasTCPFlags == 0 {
		return rules.DropNow, ""
	}
	const fin, syn, rst, ack = 1, 2, 4, 16
	switch p.TCPFlags & (fin | syn | rst | ack) {
	case syn:
		t.Record(at, "SYNPROXY", "", "answered with a cookie", "")
		return rules.Yes, ""
	case ack:
		return rules.Unsure, "whether the SYN cookie is right"
	}
	t.Record(at, "SYNPROXY", "", "passed on", "")
	return rules.No, ""
}

// ClusterMode is what of a packet CLUSTERIP spreads by.
type ClusterMode uint8

// The modes.
const (
	BySource ClusterMode = iota
	BySourcePort
	BySourcePorts
)

// ClusterIP is the target CLUSTERIP: of the machines of a cluster that all get
// a packet, one keeps it and the others drop it. A new connection's mark
// becomes the number of the machine, from 1 on.
type ClusterIP struct {
	Mode  ClusterMode
	Total uint16
	Local uint16 // number of this machine, from 1 on
	Seed  uint32
	Known bool // the rest is given with the rule
}

// Apply drops packets for other machines.
func (c *ClusterIP) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "CLUSTERIP", unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	switch {
	case !c.Known || c.Total == 0:
		return rules.Unsure, "the cluster's nodes"
	case p.Known&knownState == 0:
		return rules.Unsure, needsConn
	case p.CTState&(ctInvalid|ctUntracked) != 0:
		return rules.DropNow, ""
	case p.Proto == packet.ICMP && p.CTState&ctRelated != 0:
		return rules.Yes, ""
	}
	h := uint32(0)
	src, dst := uint32(p.SrcPort), uint32(p.DstPort)
	if p.Has&packet.HasPorts == 0 {
		src, dst = 0, 0
	}
	switch c.Mode {
	case BySource:
		h = jhash1(p.Src[3], c.Seed)
	case BySourcePort:
		h = jhash2(p.Src[3], src, c.Seed)
	default:
		h = jhash3(p.Src[3], src, dst, c.Seed)
	}
	node := scale(h, uint32(c.Total)) + 1
	if conn := p.Conn; conn != nil && p.CTState&ctNew != 0 {
		t.change(at, "CLUSTERIP", "ctmark", uint64(conn.Mark), uint64(node))
		conn.Mark = node
		t.Changed()
	}
	if node != uint32(c.Local) {
		t.Record(at, "CLUSTERIP", "", "for node "+itoa(uint64(node)), "")
		return rules.DropNow, ""
	}
	return rules.Yes, ""
}

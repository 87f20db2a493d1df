package xt

// What matches ask of the extension headers of IPv6 beyond a number in a field:
// flags of fragments, addresses of a routing header, lists of options.

import (
	"net/netip"
	"slices"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// uncaptured is what a test says that needs bytes which were not captured.
const uncaptured = "bytes that were not captured"

// FragmentFlags are questions about a fragment header.
type FragmentFlags uint8

// The questions.
const (
	FragmentReservedZero FragmentFlags = 1 << iota // the reserved fields are zero
	FragmentFirst                                  // its offset is 0
	FragmentMore                                   // more fragments follow
	FragmentLast                                   // none follow
)

// FragmentHeader returns the test that the packet has a fragment header for
// which all of the questions are answered by yes.
func FragmentHeader(f FragmentFlags) rules.Test { return f }

// Ask answers for the packet.
func (f FragmentFlags) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	h, ok := t.Packet.FragmentHeader()
	return answer(ok && (f&FragmentReservedZero == 0 || h.Reserved == 0) && (f&FragmentFirst == 0 || h.Offset == 0) &&
		(f&FragmentMore == 0 || h.More) && (f&FragmentLast == 0 || !h.More)), ""
}

// RoutingReservedZero returns the test that the reserved field of a routing
// header of type 0 is zero.
func RoutingReservedZero() rules.Test { return routingReserved{} }

type routingReserved struct{}

func (routingReserved) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	h, ok := t.Packet.RoutingHeader()
	if !ok {
		return rules.No, ""
	}
	v, ok := t.Packet.RoutingReserved(h)
	if !ok {
		// The header is in the packet, but has no room for the field.
		return rules.DropNow, ""
	}
	return answer(v == 0), ""
}

// RoutingAddrs returns the test that a routing header of type 0 lists the
// addresses: these and no others, or, when among is set, these in this order
// with others between them.
func RoutingAddrs(list []netip.Addr, among bool) rules.Test {
	r := &routingAddrs{among: among}
	for _, a := range list {
		v := rules.Addr16(a)
		r.list = append(r.list, [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)})
	}
	return r
}

type routingAddrs struct {
	list  [][4]uint32
	among bool
}

func (r *routingAddrs) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	h, ok := t.Packet.RoutingHeader()
	if !ok || h.Length < 8 || len(r.list) > h.Addrs() {
		return rules.No, ""
	}
	if !r.among && len(r.list) != h.Addrs() {
		return rules.No, ""
	}
	found := 0
	for i := 0; i < h.Addrs() && found < len(r.list); i++ {
		a, ok := t.Packet.RoutingAddr(h, i)
		switch {
		case !ok:
			return rules.Unsure, uncaptured
		case a == r.list[found]:
			found++
		case !r.among:
			return rules.No, ""
		}
	}
	return answer(found == len(r.list)), ""
}

// HeaderOption is an option of a hop-by-hop or destination options header.
type HeaderOption struct {
	Type   uint8
	Length uint8 // of its value; 255: any
}

// HeaderOptions returns the test that the first options of the header of that
// number (packet.HopByHop, packet.DestOptions) are these.
func HeaderOptions(number uint8, list []HeaderOption) rules.Test {
	return &headerOptions{number, slices.Clone(list)}
}

type headerOptions struct {
	number uint8
	list   []HeaderOption
}

func (o *headerOptions) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	at, length, ok := t.Packet.OptionsHeader(o.number)
	if !ok {
		return rules.No, ""
	}
	end := at + length
	at += 2
	for i, want := range o.list {
		typ, n, next, status := t.Packet.Option(at, end)
		switch {
		case status == packet.Uncaptured:
			return rules.Unsure, uncaptured
		case status != packet.Found || typ != want.Type:
			return rules.No, ""
		case typ != 0 && want.Length != 255 && n != want.Length:
			return rules.No, ""
		case next > end && i < len(o.list)-1:
			return rules.No, ""
		}
		at = next
	}
	return rules.Yes, ""
}

// Package gvisor has the iptables of gVisor's network stack: a table of rules
// that is walked, as in Linux.
package gvisor

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/peers/internal/tuple"
	"github.com/hipac-go/classifier/bench/peers/internal/version"
	"github.com/hipac-go/classifier/rules"
)

// Maker returns the maker of such tables.
func Maker() *compare.Maker {
	return &compare.Maker{
		Name: "gvisor", Title: "gVisor's iptables",
		Source: "gvisor.dev/gvisor/pkg/tcpip/stack " + version.Of("gvisor.dev/gvisor"),
		Note: "IPTables.CheckForward, a rule of the table filter for each; packet buffers are made before. Ports are read by a " +
			"matcher of ours: gVisor's own are not exported.",
		Make: makeEngine,
	}
}

type engine struct {
	list    *tuple.List
	stack   *stack.Stack
	tables  *stack.IPTables
	packets []*stack.PacketBuffer
	first   int32 // the rule that decided last
}

// decide is the target of a rule: it notes which one it is.
type decide struct {
	position int32
	first    *int32
}

func (d *decide) Action(*stack.PacketBuffer, stack.Hook, *stack.Route, stack.AddressableEndpoint) (stack.RuleVerdict, int) {
	*d.first = d.position
	return stack.RuleAccept, 0
}

// ports matches the ports of the first four bytes behind the IP header.
type ports struct{ src, dst tuple.Ports }

func (m *ports) Match(_ stack.Hook, p *stack.PacketBuffer, _, _ string) (matches, hotdrop bool) {
	b := p.TransportHeader().Slice()
	if len(b) < 4 {
		return false, true
	}
	src, dst := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return m.src.First <= src && src <= m.src.Last && m.dst.First <= dst && dst <= m.dst.Last, false
}

func makeEngine(ctx context.Context, l *rules.List[string], _ int64) (compare.Engine, error) {
	t, err := tuple.Read(l)
	if err != nil {
		return nil, err
	}
	e := &engine{list: t, first: -1}
	var all []stack.Rule
	for i := range t.Rules {
		r := &t.Rules[i]
		one := stack.Rule{
			Filter: stack.IPHeaderFilter{Src: address(r.Src.Addr()), SrcMask: mask(r.Src), Dst: address(r.Dst.Addr()), DstMask: mask(r.Dst)},
			Target: &decide{int32(r.Position), &e.first},
		}
		switch r.ProtoMask {
		case 0:
		case 0xff:
			one.Filter.Protocol, one.Filter.CheckProtocol = tcpip.TransportProtocolNumber(r.Proto), true
		default:
			return nil, fmt.Errorf("%w: rule %d asks for protocols by a mask", compare.ErrUnsupported, r.Position+1)
		}
		if !r.Sport.All() || !r.Dport.All() {
			one.Matchers = []stack.Matcher{&ports{r.Sport, r.Dport}}
		}
		all = append(all, one)
	}
	network := header.IPv4ProtocolNumber
	rest := stack.EmptyFilter4()
	if t.IPv6 {
		network = header.IPv6ProtocolNumber
		rest = stack.EmptyFilter6()
	}
	all = append(all, stack.Rule{Filter: rest, Target: &stack.AcceptTarget{NetworkProtocol: network}})
	unset := stack.HookUnset
	table := stack.Table{Rules: all,
		BuiltinChains: [stack.NumHooks]int{stack.Prerouting: unset, stack.Input: unset, stack.Output: unset, stack.Postrouting: unset},
		Underflows:    [stack.NumHooks]int{stack.Prerouting: unset, stack.Input: unset, stack.Forward: len(all) - 1, stack.Output: unset, stack.Postrouting: unset},
	}
	e.stack = stack.New(stack.Options{})
	e.tables = e.stack.IPTables()
	e.tables.ForceReplaceTable(stack.FilterID, table, t.IPv6)
	return e, ctx.Err()
}

func address(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

func mask(p netip.Prefix) tcpip.Address {
	b := make([]byte, p.Addr().BitLen()/8)
	for i := range p.Bits() {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return tcpip.AddrFromSlice(b)
}

// CanAsk reports whether the packet has all fields.
func (e *engine) CanAsk(k rules.Key) bool { return e.list.Whole(k) }

// Prepare makes packet buffers, as they come out of a network endpoint.
func (e *engine) Prepare(keys []uint32) error {
	e.release()
	e.packets = make([]*stack.PacketBuffer, e.list.Len(keys))
	for i := range e.packets {
		p := e.list.Packet(e.list.At(keys, i))
		b := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(p.Bytes())})
		e.packets[i] = b
		size := header.IPv4MinimumSize
		b.NetworkProtocolNumber = header.IPv4ProtocolNumber
		if e.list.IPv6 {
			size = header.IPv6MinimumSize
			b.NetworkProtocolNumber = header.IPv6ProtocolNumber
		}
		b.TransportProtocolNumber = tcpip.TransportProtocolNumber(p.Proto)
		if _, ok := b.NetworkHeader().Consume(size); !ok {
			return fmt.Errorf("packet %d: no network header", i)
		}
		if _, ok := b.TransportHeader().Consume(8); !ok {
			return fmt.Errorf("packet %d: no transport header", i)
		}
	}
	return nil
}

func (e *engine) FirstPrepared(from int, out []int32) {
	for i := range out {
		e.first = -1
		e.tables.CheckForward(e.packets[from+i], "in", "out")
		out[i] = e.first
	}
}

func (e *engine) First([]uint32, []int32) {} // FirstPrepared is asked instead

func (e *engine) Bytes() int64 { return 0 } // the heap's growth tells

func (e *engine) release() {
	for _, p := range e.packets {
		if p != nil {
			p.DecRef()
		}
	}
	e.packets = nil
}

func (e *engine) Close() {
	e.release()
	e.stack.Destroy()
}

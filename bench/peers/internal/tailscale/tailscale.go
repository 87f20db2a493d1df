// Package tailscale has the packet filter of Tailscale: a list of rules that
// allow, walked until one matches, with a flow table for UDP in front.
package tailscale

import (
	"context"
	"fmt"
	"net/netip"

	"go4.org/netipx"
	"tailscale.com/net/packet"
	"tailscale.com/types/ipproto"
	"tailscale.com/types/views"
	"tailscale.com/wgengine/filter"
	"tailscale.com/wgengine/filter/filtertype"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/peers/internal/tuple"
	"github.com/hipac-go/classifier/bench/peers/internal/version"
	"github.com/hipac-go/classifier/rules"
)

// Maker returns the maker of such filters.
func Maker() *compare.Maker {
	return &compare.Maker{
		Name: "tailscale", Title: "Tailscale's packet filter",
		Source: "tailscale.com/wgengine/filter " + version.Of("tailscale.com"),
		Note: "Filter.RunIn, a Match for each rule; packets are parsed before. Its rules only allow: it tells whether some rule " +
			"matches, a last rule without conditions aside. It has no source ports. It is asked about TCP connections' first packets and UDP: " +
			"of other protocols it looks at addresses alone, and packets to multicast and link-local addresses it refuses whatever the rules.",
		VerdictOnly: true,
		Make:        makeEngine,
	}
}

type engine struct {
	list   *tuple.List
	filter *filter.Filter
	parsed []packet.Parsed
}

func makeEngine(ctx context.Context, l *rules.List[string], _ int64) (compare.Engine, error) {
	t, err := tuple.Read(l)
	if err != nil {
		return nil, err
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if t.IPv6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	var matches []filtertype.Match
	for i := range t.Rules {
		r := &t.Rules[i]
		if compare.Rest(l, r.Position) {
			continue
		}
		var protos []ipproto.Proto
		switch {
		case !r.Sport.All():
			return nil, fmt.Errorf("%w: rule %d asks for a source port", compare.ErrUnsupported, r.Position+1)
		case r.ProtoMask == 0:
			protos = []ipproto.Proto{ipproto.TCP, ipproto.UDP}
		case r.ProtoMask == 0xff:
			protos = []ipproto.Proto{ipproto.Proto(r.Proto)}
		default:
			return nil, fmt.Errorf("%w: rule %d asks for protocols by a mask", compare.ErrUnsupported, r.Position+1)
		}
		matches = append(matches, filtertype.Match{
			IPProto: views.SliceOf(protos),
			Srcs:    []netip.Prefix{r.Src},
			Dsts:    []filtertype.NetPortRange{{Net: r.Dst, Ports: filtertype.PortRange(r.Dport)}},
		})
	}
	var local netipx.IPSetBuilder
	local.AddPrefix(all)
	set, err := local.IPSet()
	if err != nil {
		return nil, err
	}
	return &engine{list: t, filter: filter.New(matches, nil, set, &netipx.IPSet{}, nil, func(string, ...any) {})}, ctx.Err()
}

// CanAsk reports whether the filter goes by its rules alone for the packet.
func (e *engine) CanAsk(k rules.Key) bool {
	if !e.list.Whole(k) {
		return false
	}
	p := e.list.Packet(k)
	return (p.Proto == 6 || p.Proto == 17) && !p.Dst.IsMulticast() && !p.Dst.IsLinkLocalUnicast()
}

// Prepare parses the packets.
func (e *engine) Prepare(keys []uint32) error {
	e.parsed = make([]packet.Parsed, e.list.Len(keys))
	for i := range e.parsed {
		p := e.list.Packet(e.list.At(keys, i))
		e.parsed[i].Decode(p.Bytes())
	}
	return nil
}

func (e *engine) FirstPrepared(from int, out []int32) {
	for i := range out {
		if e.filter.RunIn(&e.parsed[from+i], 0) == filter.Accept {
			out[i] = 0
		} else {
			out[i] = -1
		}
	}
}

func (e *engine) First([]uint32, []int32) {} // FirstPrepared is asked instead

func (e *engine) Bytes() int64 { return 0 } // the heap's growth tells

func (e *engine) Close() {}

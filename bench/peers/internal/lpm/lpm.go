// Package lpm has a routing table, bart, for lists that ask for one address
// alone. It finds the longest prefix that an address lies in; that is the first
// rule where every shorter one comes later. A prefix that lies within an earlier
// one never decides and is left out, so that what is left is so: the answer is
// the first match for every list of this form.
package lpm

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/peers/internal/tuple"
	"github.com/hipac-go/classifier/bench/peers/internal/version"
	"github.com/hipac-go/classifier/rules"
)

// Maker returns the maker of such tables.
func Maker() *compare.Maker {
	return &compare.Maker{
		Name: "bart", Title: "bart, a routing table",
		Source: "github.com/gaissmai/bart " + version.Of("github.com/gaissmai/bart"),
		Note: "Table.Lookup, for lists whose rules all ask for one address field, the same, and nothing else. It finds the longest " +
			"prefix, which is the first match once prefixes behind shorter ones are left out.",
		Make: makeEngine,
	}
}

type engine struct {
	list  *tuple.List
	src   bool
	table bart.Table[int32]
	addrs []netip.Addr
}

func makeEngine(ctx context.Context, l *rules.List[string], _ int64) (compare.Engine, error) {
	t, err := tuple.Read(l)
	if err != nil {
		return nil, err
	}
	e := &engine{list: t}
	var dst bool
	for i := range t.Rules {
		r := &t.Rules[i]
		if !r.Sport.All() || !r.Dport.All() || r.ProtoMask != 0 {
			return nil, fmt.Errorf("%w: rule %d asks for more than an address", compare.ErrUnsupported, r.Position+1)
		}
		e.src = e.src || r.Src.Bits() > 0
		if dst = dst || r.Dst.Bits() > 0; e.src && dst {
			return nil, fmt.Errorf("%w: up to rule %d both addresses are asked for", compare.ErrUnsupported, r.Position+1)
		}
	}
	for i := range t.Rules {
		r := &t.Rules[i]
		p := r.Dst
		if e.src {
			p = r.Src
		}
		// What is in the table came earlier.
		if _, hidden := e.table.LookupPrefix(p); !hidden {
			e.table.Insert(p, int32(r.Position))
		}
	}
	return e, ctx.Err()
}

// CanAsk reports whether the packet has all fields.
func (e *engine) CanAsk(k rules.Key) bool { return e.list.Whole(k) }

// Prepare takes the addresses.
func (e *engine) Prepare(keys []uint32) error {
	e.addrs = make([]netip.Addr, e.list.Len(keys))
	for i := range e.addrs {
		p := e.list.Packet(e.list.At(keys, i))
		if e.addrs[i] = p.Dst; e.src {
			e.addrs[i] = p.Src
		}
	}
	return nil
}

func (e *engine) FirstPrepared(from int, out []int32) {
	for i := range out {
		if position, ok := e.table.Lookup(e.addrs[from+i]); ok {
			out[i] = position
		} else {
			out[i] = -1
		}
	}
}

func (e *engine) First([]uint32, []int32) {} // FirstPrepared is asked instead

func (e *engine) Bytes() int64 { return 0 } // the heap's growth tells

func (e *engine) Close() {}

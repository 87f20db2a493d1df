package hipac_test

// Every way to look up, on every batch path: none allocates, all agree.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// nestedList has rules that lie within one another in every field: they become a
// bucket.
func nestedList(t *testing.T, s *rules.Schema, n int) *rules.List[int] {
	t.Helper()
	b := rules.NewBuilder[int](s)
	for i := range n {
		var conds []rules.Cond
		for f := range s.Len() {
			top := s.Field(f).Max()
			lo := rules.U64(uint64(n-1-i) * (min(top.Lo, 1<<40) / 2) / uint64(n))
			conds = append(conds, rules.In(f, rules.Interval{Lo: lo, Hi: top.Xor(lo)}))
		}
		_, err := b.Add(rules.Rule[int]{Conds: conds, Value: i})
		require.NoError(t, err)
	}
	return b.List()
}

// pathLists are lists whose lookups take different ways.
func pathLists(t *testing.T) map[string]*rules.List[int] {
	r := rand.New(rand.NewPCG(11, 2))
	out := map[string]*rules.List[int]{}
	for name, s := range map[string]*rules.Schema{"ipv4": rules.IPv4Tuple, "ipv6": rules.IPv6Tuple, "both families": rules.IPTuple, "firewall": rules.Firewall, "mixed": mixed} {
		out[name] = randomList(r, s, 300, pools(r, s))
		out[name+" of one rule"] = randomList(r, s, 1, pools(r, s))
	}
	for name, s := range map[string]*rules.Schema{"nested ipv4": rules.IPv4Tuple, "nested ipv6": rules.IPv6Tuple} {
		out[name] = nestedList(t, s, 400)
	}
	out["empty"] = rules.NewBuilder[int](rules.IPv4Tuple).List()
	b := rules.NewBuilder[int](rules.IPv4Tuple)
	for src := range uint64(500) {
		_, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{prefix(0, src<<20, 12+int(src%9)), rules.In(3, rules.Span(src, src+src%3))}})
		require.NoError(t, err)
	}
	out["exact"] = b.List()
	return out
}

// pathKeys are keys from the pools of values of no particular list.
func pathKeys(s *rules.Schema, n int) []uint32 {
	r := rand.New(rand.NewPCG(12, 3))
	pool := pools(r, s)
	w := s.KeyLen()
	keys := make([]uint32, n*w)
	for i := range n {
		randomKey(r, s, pool, keys[i*w:i*w+w])
		if i%2 == 0 {
			keys[i*w] = 0 // not all lack a field
		}
	}
	return keys
}

func TestNoPathAllocates(t *testing.T) {
	var made, p packet.Packet
	made.SetAddrs(netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("192.0.2.1"))
	made.Proto, made.SrcPort, made.DstPort, made.TTL = packet.TCP, 4242, 443, 64
	require.NoError(t, p.DecodeIP(made.AppendIP(nil)))
	four := rules.Tuple{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), DstPort: 80, Proto: 6}
	six := rules.Tuple{Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), DstPort: 80, Proto: 6}
	for name, l := range pathLists(t) {
		for _, path := range hipac.Batches() {
			t.Run(name+" "+path.String(), func(t *testing.T) {
				c := build(t, l, &hipac.Options{Batch: path, FirstMatchOnly: true})
				w := l.Schema().KeyLen()
				keys := pathKeys(l.Schema(), 130)
				out := make([]int32, 130)
				at := 0
				none := func(what string, f func()) {
					require.Zero(t, allocsPerRun(60, f), what)
				}
				none("Lookup", func() { c.Lookup(keys[at : at+w]); at = (at + w) % len(keys) })
				none("Position", func() { c.Position(keys[at : at+w]); at = (at + w) % len(keys) })
				none("LookupTuple", func() { c.LookupTuple(four); c.LookupTuple(six) })
				none("LookupPacket", func() { c.LookupPacket(&p) })
				for _, n := range []int{1, 7, 8, 64, 130} {
					none(fmt.Sprintf("LookupBatch of %d", n), func() { c.LookupBatch(keys, out[:n]) })
				}
			})
		}
	}
}

func TestNoEvaluationAllocates(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, s := range map[string]*rules.Schema{"ipv4": rules.IPv4Tuple, "ipv6": rules.IPv6Tuple, "both families": rules.IPTuple, "firewall": rules.Firewall} {
		t.Run(name, func(t *testing.T) {
			table := randomTable(r, s, 8, 40, pools(r, s))
			c, err := hipac.BuildTable(context.Background(), table, nil)
			require.NoError(t, err)
			keys, w, at := pathKeys(s, 64), s.KeyLen(), 0
			require.Zero(t, allocsPerRun(64, func() {
				c.Evaluate(keys[at:at+w], 0)
				at = (at + w) % len(keys)
			}))
		})
	}
}

func TestAllWaysToLookUpAgreeOnEveryPath(t *testing.T) {
	for name, l := range pathLists(t) {
		s := l.Schema()
		w := s.KeyLen()
		const n = 203
		keys := pathKeys(s, n)
		for i := range min(n, l.Len()) { // some lie in a rule
			for _, c := range l.At(i).Conds {
				if iv, ok := c.Intervals(); ok && len(iv) > 0 {
					s.Set(keys[i*w:i*w+w], c.Field(), iv[0].Lo)
				}
			}
		}
		want := make([]int32, n)
		for i := range want {
			want[i] = -1
			if p, ok := l.First(keys[i*w : i*w+w]); ok {
				want[i] = int32(p)
			}
		}
		for _, path := range hipac.Batches() {
			t.Run(name+" "+path.String(), func(t *testing.T) {
				c := build(t, l, &hipac.Options{Batch: path})
				require.Equal(t, path, c.Batch())
				for i, p := range want {
					got, ok := c.Position(keys[i*w : i*w+w])
					m, found := c.Lookup(keys[i*w : i*w+w])
					require.Equal(t, p >= 0, ok)
					require.Equal(t, ok, found)
					if ok {
						require.EqualValues(t, p, got)
						require.Equal(t, c.At(got), m)
					}
				}
				// Neither keys nor positions beyond the batch are touched.
				before := slices.Clone(keys)
				for _, size := range []int{0, 1, 7, 8, 63, 64, 65, 128, 200} {
					for at := 0; at+size <= n; at += 31 {
						out := make([]int32, size+2)
						out[size], out[size+1] = 77, 78
						require.Equal(t, size, c.LookupBatch(keys[at*w:(at+size)*w], out))
						require.Equal(t, append(slices.Clone(want[at:at+size]), 77, 78), out)
						require.Equal(t, size, c.LookupBatch(keys[at*w:], out[:size]))
						require.Equal(t, want[at:at+size], out[:size])
					}
				}
				require.Equal(t, before, keys)
			})
		}
	}
}

func TestTheEnvironmentChoosesTheBatchPath(t *testing.T) {
	l := nestedList(t, rules.IPv4Tuple, 3)
	paths := hipac.Batches()
	require.Contains(t, paths, hipac.BatchGo)
	for _, path := range paths {
		t.Setenv(hipac.BatchEnv, path.String())
		require.Equal(t, path, build(t, l, nil).Batch())
		require.Equal(t, hipac.BatchGo, build(t, l, &hipac.Options{Batch: hipac.BatchGo}).Batch(), "an option comes before the environment")
	}
	for _, none := range []string{"", "auto"} {
		t.Setenv(hipac.BatchEnv, none)
		require.Equal(t, paths[len(paths)-1], build(t, l, nil).Batch())
	}
	t.Setenv(hipac.BatchEnv, "sse")
	_, err := hipac.Build(context.Background(), l, nil)
	require.ErrorContains(t, err, "HIPAC_BATCH=sse")
	t.Setenv(hipac.BatchEnv, "")
	if !hipac.BatchAVX512.Available() {
		_, err = hipac.Build(context.Background(), l, &hipac.Options{Batch: hipac.BatchAVX512})
		require.ErrorContains(t, err, "not available")
	}
	_, err = hipac.Build(context.Background(), l, &hipac.Options{Batch: 99})
	require.ErrorContains(t, err, "Batch(99)")
}

package rules

import (
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var two128 = new(big.Int).Lsh(big.NewInt(1), 128)

func toBig(v Value) *big.Int {
	n := new(big.Int).SetUint64(v.Hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(v.Lo))
}

func fromBig(n *big.Int) Value {
	n = new(big.Int).Mod(n, two128)
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0)))
	return Value{new(big.Int).Rsh(n, 64).Uint64(), lo.Uint64()}
}

// randomValue returns a value of at most bits bits; small ones and those at
// the ends of words are common.
func randomValue(rnd *rand.Rand, bits int) Value {
	v := Value{rnd.Uint64(), rnd.Uint64()}.And(Ones(rnd.IntN(bits + 1)))
	switch rnd.IntN(6) {
	case 0:
		v = Ones(rnd.IntN(bits + 1))
	case 1:
		v = U64(1).Shl(rnd.IntN(bits))
	case 2:
		v = U64(uint64(rnd.IntN(4)))
	case 3:
		v = Ones(bits).And(v.Not())
	}
	return v.And(Ones(bits))
}

func TestArithmeticAgreesWithBigIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	one := big.NewInt(1)
	for range 20000 {
		v, w := randomValue(rnd, 128), randomValue(rnd, 128)
		a, b := toBig(v), toBig(w)
		require.Equal(t, v, fromBig(a))
		require.Equal(t, a.Cmp(b), v.Cmp(w))
		require.Equal(t, a.Cmp(b) < 0, v.Less(w))
		require.Zero(t, v.Cmp(v))
		require.Equal(t, fromBig(new(big.Int).And(a, b)), v.And(w))
		require.Equal(t, fromBig(new(big.Int).Or(a, b)), v.Or(w))
		require.Equal(t, fromBig(new(big.Int).Xor(a, b)), v.Xor(w))
		require.Equal(t, fromBig(new(big.Int).Sub(new(big.Int).Sub(two128, one), a)), v.Not())
		require.Equal(t, fromBig(new(big.Int).Add(a, one)), v.Next())
		require.Equal(t, fromBig(new(big.Int).Sub(a, one)), v.Prev())
		require.Equal(t, a.BitLen(), v.BitLen())
		n := rnd.IntN(129)
		require.Equal(t, fromBig(new(big.Int).Lsh(a, uint(n))), v.Shl(n), "%v<<%d", v, n)
		require.Equal(t, fromBig(new(big.Int).Rsh(a, uint(n))), v.Shr(n), "%v>>%d", v, n)
	}
}

func TestOnesSetsTheLowestBits(t *testing.T) {
	for n := range 129 {
		want := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(n)), big.NewInt(1))
		require.Equal(t, fromBig(want), Ones(n), n)
		require.Equal(t, n, Ones(n).BitLen())
	}
}

func TestValuesArePrintedInDecimalUpTo64Bits(t *testing.T) {
	require.Equal(t, "0", Value{}.String())
	require.Equal(t, "18446744073709551615", Ones(64).String())
	require.Equal(t, "0x10000000000000000", Ones(64).Next().String())
	require.Equal(t, "0xffffffffffffffffffffffffffffffff", Ones(128).String())
}

func TestAddressesSurviveBeingValues(t *testing.T) {
	for _, s := range []string{"0.0.0.0", "10.1.2.3", "255.255.255.255"} {
		a := netip.MustParseAddr(s)
		require.Equal(t, a, Addr4(a).Addr4())
		require.Equal(t, a, Addr16(a).Addr())
		mapped := netip.AddrFrom16(a.As16())
		require.Equal(t, Addr4(a), Addr4(mapped))
		require.Equal(t, Addr16(a), Addr16(mapped))
		require.True(t, Addr16(a).is4in6())
	}
	for _, s := range []string{"::", "::1", "2001:db8::1", "::fffe:1.2.3.4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		a := netip.MustParseAddr(s)
		require.Equal(t, a, Addr16(a).Addr())
		require.Zero(t, Addr4(a))
		require.False(t, Addr16(a).is4in6())
	}
	require.Equal(t, Value{Lo: 0x0a010203}, Addr4(netip.MustParseAddr("10.1.2.3")))
	require.Equal(t, Value{0x20010db8 << 32, 1}, Addr16(netip.MustParseAddr("2001:db8::1")))
	require.True(t, Addr4(netip.MustParseAddr("9.255.255.255")).Less(Addr4(netip.MustParseAddr("10.0.0.0"))))
}

func TestNamesSurviveBeingValues(t *testing.T) {
	for _, s := range []string{"", "lo", "eth0", "br-lan", "fifteen-bytes-x", "grün"} {
		got, ok := NameValue(s).Name()
		require.True(t, ok)
		require.Equal(t, s, got)
	}
	require.Equal(t, NameValue("sixteen-bytes-x"), NameValue("sixteen-bytes-xyz"), "cut as the kernel does")
	require.Equal(t, Value{'l'<<56 | 'o'<<48, 0}, NameValue("lo"))
	for _, v := range []Value{NameValue("a\x00b"), U64(1), Ones(128)} {
		_, ok := v.Name()
		require.False(t, ok, v)
	}
	eth := PrefixInterval(NameValue("eth"), 24, 128)
	for name, want := range map[string]bool{"eth": true, "eth0": true, "ethernet": true, "et": false, "eti": false, "": false} {
		require.Equal(t, want, eth.Contains(NameValue(name)), name)
	}
}

func TestIntervalRelationsAgreeWithTheirValues(t *testing.T) {
	const n = 8
	for alo := range uint64(n) {
		for ahi := alo; ahi < n; ahi++ {
			a := Span(alo, ahi)
			for blo := range uint64(n) {
				for bhi := blo; bhi < n; bhi++ {
					b := Span(blo, bhi)
					overlaps, covers := false, true
					for x := range uint64(n) {
						inA, inB := a.Contains(U64(x)), b.Contains(U64(x))
						require.Equal(t, alo <= x && x <= ahi, inA)
						overlaps = overlaps || inA && inB
						covers = covers && (inA || !inB)
					}
					require.Equal(t, overlaps, a.Overlaps(b))
					require.Equal(t, covers, a.Covers(b))
				}
			}
		}
	}
	require.Equal(t, Span(5, 5), Point(5))
}

func TestPrefixLenIsTheInverseOfPrefixInterval(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for bits := 1; bits <= 128; bits++ {
		for length := range bits + 1 {
			v := randomValue(rnd, bits)
			iv := PrefixInterval(v, length, bits)
			require.True(t, iv.Contains(v))
			require.False(t, Ones(bits).Less(iv.Hi))
			require.Equal(t, Ones(bits-length), iv.Lo.Xor(iv.Hi))
			got, ok := iv.PrefixLen(bits)
			require.True(t, ok)
			require.Equal(t, length, got)
		}
	}
	prefixes := 0
	for lo := range uint64(16) {
		for hi := lo; hi < 16; hi++ {
			size := hi - lo + 1
			want := size&(size-1) == 0 && lo%size == 0
			n, ok := Span(lo, hi).PrefixLen(4)
			require.Equal(t, want, ok, "%d-%d", lo, hi)
			if ok {
				prefixes++
				require.Equal(t, Span(lo, hi), PrefixInterval(U64(lo), n, 4))
			}
		}
	}
	require.Equal(t, 31, prefixes)
}

func TestNamesOfProtocolsAndServicesAreConsistent(t *testing.T) {
	for _, p := range protocols {
		for i, name := range strings.Fields(p.names) {
			n, ok := ProtocolNumber(strings.ToUpper(name))
			require.True(t, ok, name)
			require.Equal(t, p.number, n, name)
			if i == 0 {
				require.Equal(t, name, ProtocolName(n))
			}
		}
	}
	for _, s := range services {
		for _, name := range strings.Fields(s.names) {
			p, ok := ServicePort(name)
			require.True(t, ok)
			require.Equal(t, s.port, p, name)
		}
	}
	_, ok := ProtocolNumber("nonsense")
	require.False(t, ok)
	_, ok = ServicePort("nonsense")
	require.False(t, ok)
	require.Empty(t, ProtocolName(255))
}

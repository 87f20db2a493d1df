package rules

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFieldsOfEveryWidthAreSetAndRead(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 1))
	for bits := 1; bits <= 128; bits++ {
		s := MustSchema(Field{Name: "before", Bits: 32}, Field{Name: "f", Bits: bits}, Field{Name: "after", Bits: 7})
		first, n := s.FieldWords(1)
		require.Equal(t, 2, first)
		require.Equal(t, (bits+31)/32, n)
		require.Equal(t, 3+n, s.KeyLen())
		for range 20 {
			k := s.NewKey()
			s.Set(k, 0, Ones(32))
			s.Set(k, 2, Ones(7))
			v := randomValue(rnd, 128)
			s.Set(k, 1, v)
			got, present := s.Get(k, 1)
			require.True(t, present)
			require.Equal(t, v.And(Ones(bits)), got)
			require.NoError(t, s.CheckKey(k))

			s.SetAbsent(k, 1)
			got, present = s.Get(k, 1)
			require.False(t, present)
			require.Zero(t, got)
			require.NoError(t, s.CheckKey(k))
			for _, i := range []int{0, 2} {
				got, present = s.Get(k, i)
				require.True(t, present)
				require.Equal(t, s.Field(i).Max(), got, "neighbours are untouched")
			}
			s.Set(k, 1, v)
			_, present = s.Get(k, 1)
			require.True(t, present, "Set makes the field present again")
		}
	}
}

func TestAll32FieldsMayBeAbsent(t *testing.T) {
	fields := make([]Field, MaxFields)
	for i := range fields {
		fields[i] = Field{Name: string(rune('a'+i%26)) + string(rune('a'+i/26)), Bits: 128}
	}
	s := MustSchema(fields...)
	require.Equal(t, MaxKeyWords, s.KeyLen())
	k := s.NewKey()
	for i := range fields {
		s.SetAbsent(k, i)
	}
	require.NoError(t, s.CheckKey(k))
	require.Equal(t, ^uint32(0), k[0])
	s.Set(k, 31, Ones(128))
	require.Equal(t, ^uint32(0)>>1, k[0])
}

func TestCheckKeyNamesWhatIsWrong(t *testing.T) {
	s := MustSchema(Field{Name: "f", Bits: 9}, Field{Name: "g", Bits: 33})
	require.NoError(t, s.CheckKey(Key{0, 511, 1, 0xffffffff}))
	for want, k := range map[string]Key{
		"key: 3 words, the schema's keys have 4":                {0, 1, 2},
		"key: 0 words, the schema's keys have 4":                nil,
		"key: word 0 (0x4) names a field beyond the schema's 2": {4, 0, 0, 0},
		"key: field f: 0x200 does not fit its 9 bits":           {0, 512, 0, 0},
		"key: field g: 0x2 does not fit its 33 bits":            {0, 0, 2, 0},
		"key: field f is absent but not 0":                      {1, 5, 0, 0},
		"key: field g is absent but not 0":                      {2, 5, 0, 1},
	} {
		require.EqualError(t, s.CheckKey(k), want)
	}
}

func TestTuplesAgreeOnTheirKeys(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	for range 1000 {
		t4 := Tuple4{rnd.Uint32(), rnd.Uint32(), uint16(rnd.Uint32()), uint16(rnd.Uint32()), uint8(rnd.Uint32()), rnd.IntN(2) == 0}
		want := t4.Key()
		require.NoError(t, IPv4Tuple.CheckKey(want[:]))
		tuple := Tuple{U64(uint64(t4.Src)).Addr4(), U64(uint64(t4.Dst)).Addr4(), t4.SrcPort, t4.DstPort, t4.Proto, t4.NoPorts}
		k := IPv4Tuple.NewKey()
		require.True(t, IPv4Tuple.SetTuple(k, tuple))
		require.Equal(t, Key(want[:]), k)
		require.False(t, IPv6Tuple.SetTuple(IPv6Tuple.NewKey(), tuple), "IPv4 addresses are outside an IPv6 rule set")

		t6 := Tuple6{tuple.Src.As16(), tuple.Dst.As16(), t4.SrcPort, t4.DstPort, t4.Proto, t4.NoPorts}
		want6 := t6.Key()
		k = IPTuple.NewKey()
		require.True(t, IPTuple.SetTuple(k, tuple))
		require.Equal(t, Key(want6[:]), k)

		for i := range t6.Src {
			t6.Src[i], t6.Dst[i] = byte(rnd.Uint32()), byte(rnd.Uint32())
		}
		want6 = t6.Key()
		require.NoError(t, IPv6Tuple.CheckKey(want6[:]))
		tuple.Src, tuple.Dst = netip.AddrFrom16(t6.Src), netip.AddrFrom16(t6.Dst)
		for _, s := range []*Schema{IPv6Tuple, IPTuple} {
			k = s.NewKey()
			require.True(t, s.SetTuple(k, tuple))
			require.Equal(t, Key(want6[:]), k)
		}
		require.False(t, IPv4Tuple.SetTuple(IPv4Tuple.NewKey(), tuple), "IPv6 addresses are outside an IPv4 rule set")
	}
}

func TestSetTupleMakesOtherFieldsAbsent(t *testing.T) {
	k := Firewall.NewKey()
	for i := range k {
		k[i] = ^uint32(0)
	}
	require.True(t, Firewall.SetTuple(k, Tuple{Dst: netip.MustParseAddr("10.0.0.1"), DstPort: 80, Proto: 6}))
	require.NoError(t, Firewall.CheckKey(k))
	for i := range Firewall.Len() {
		_, present := Firewall.Get(k, i)
		name := Firewall.Field(i).Name
		require.Equal(t, name == "dst" || name == "sport" || name == "dport" || name == "proto", present, name)
	}
	odd := MustSchema(Field{Name: "src", Bits: 32})
	require.False(t, odd.SetTuple(odd.NewKey(), Tuple{Src: netip.MustParseAddr("10.0.0.1")}), "a number field holds no address")
}

func TestTupleKeysDoNotAllocate(t *testing.T) {
	list, err := NewList[int](IPv4Tuple, Rule[int]{})
	require.NoError(t, err)
	var found bool
	require.Zero(t, testing.AllocsPerRun(100, func() {
		k := Tuple4{Src: 1}.Key()
		_, found = list.First(k[:])
	}))
	require.True(t, found)
}

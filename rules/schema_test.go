package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchemaRefusesFieldsThatMakeNoSense(t *testing.T) {
	many := make([]Field, MaxFields+1)
	for i := range many {
		many[i] = Field{Name: fmt.Sprintf("f%d", i), Bits: 1}
	}
	_, err := NewSchema(many...)
	require.ErrorIs(t, err, ErrLimit)
	s, err := NewSchema(many[:MaxFields]...)
	require.NoError(t, err)
	require.Equal(t, MaxFields, s.Len())
	require.Equal(t, 1+MaxFields, s.KeyLen())

	for _, row := range []struct {
		fields []Field
		want   string
	}{
		{[]Field{{Name: "", Bits: 1}}, `schema: field 1: "" is not a field name`},
		{[]Field{{Name: "1a", Bits: 1}}, `schema: field 1: "1a" is not a field name`},
		{[]Field{{Name: "a b", Bits: 1}}, `schema: field 1: "a b" is not a field name`},
		{[]Field{{Name: "a=", Bits: 1}}, `schema: field 1: "a=" is not a field name`},
		{[]Field{{Name: "a?", Bits: 1}}, `schema: field 1: "a?" is not a field name`},
		{[]Field{{Name: "ä", Bits: 1}}, `schema: field 1: "ä" is not a field name`},
		{[]Field{{Name: strings.Repeat("a", 65), Bits: 1}}, `schema: field 1: "` + strings.Repeat("a", 65) + `" is not a field name`},
		{[]Field{{Name: "a", Bits: 1}, {Name: "a", Bits: 2}}, `schema: field "a" appears twice`},
		{[]Field{{Name: "a"}}, `schema: field "a": width 0 is not in 1..128`},
		{[]Field{{Name: "a", Bits: -1}}, `schema: field "a": width -1 is not in 1..128`},
		{[]Field{{Name: "a", Bits: 129}}, `schema: field "a": width 129 is not in 1..128`},
		{[]Field{{Name: "a", Kind: IPv4, Bits: 31}}, `schema: field "a": kind ipv4 needs 32 bits, not 31`},
		{[]Field{{Name: "a", Kind: numKinds, Bits: 31}}, `schema: field "a": unknown kind(11)`},
		{[]Field{{Name: "a", Kind: Enum, Bits: 2, Symbols: []Symbol{{"X", 4}}}}, `schema: field "a": symbol X=0x4 does not fit 2 bits`},
		{[]Field{{Name: "a", Kind: Enum, Bits: 2, Symbols: []Symbol{{"7", 1}}}}, `schema: field "a": "7" is not a symbol name`},
		{[]Field{{Name: "a", Kind: Enum, Bits: 2, Symbols: []Symbol{{"X", 1}, {"x", 2}}}}, `schema: field "a": symbol name "x" is taken`},
		{[]Field{{Name: "a", Kind: Bits, Bits: 2, Symbols: []Symbol{{"None", 1}}}}, `schema: field "a": symbol name "None" is taken`},
	} {
		_, err := NewSchema(row.fields...)
		require.EqualError(t, err, row.want)
		require.Panics(t, func() { MustSchema(row.fields...) })
	}
}

func TestSchemaFillsInTheWidthOfItsKinds(t *testing.T) {
	for k, bits := range map[Kind]int{IPv4: 32, IPv6: 128, IP: 128, Port: 16, Proto: 8, Name: 128, MAC: 48} {
		s := MustSchema(Field{Name: "f", Kind: k})
		require.Equal(t, bits, s.Field(0).Bits)
		require.Equal(t, Ones(bits), s.Field(0).Max())
		require.Equal(t, Interval{Value{}, Ones(bits)}, s.Field(0).Full())
		require.Equal(t, "f:"+k.String(), s.String())
	}
}

func TestKindsAreParsedFromTheirNames(t *testing.T) {
	for k := range numKinds {
		got, ok := ParseKind(k.String())
		require.True(t, ok)
		require.Equal(t, k, got)
	}
	_, ok := ParseKind("colour")
	require.False(t, ok)
	require.Equal(t, "kind(99)", Kind(99).String())
}

func TestReadySchemasHaveTheirFields(t *testing.T) {
	require.Equal(t, "src:ipv4 dst:ipv4 sport:port dport:port proto:proto", IPv4Tuple.String())
	require.Equal(t, "src:ipv6 dst:ipv6 sport:port dport:port proto:proto", IPv6Tuple.String())
	require.Equal(t, "src:ip dst:ip sport:port dport:port proto:proto", IPTuple.String())
	require.Equal(t, 20, Firewall.Len())
	require.Equal(t, 6, IPv4Tuple.KeyLen())
	require.Equal(t, 12, IPv6Tuple.KeyLen())
	require.Contains(t, Firewall.String(), "tcpflags:bits:8:FIN=1,SYN=2,RST=4,PSH=8,ACK=16,URG=32,ECE=64,CWR=128 ")
	require.True(t, IPv4Tuple.Equal(MustSchema(Field{Name: "src", Kind: IPv4, Bits: 32}, *IPv4Tuple.Field(1), *IPv4Tuple.Field(2), *IPv4Tuple.Field(3), *IPv4Tuple.Field(4))))
	require.False(t, IPv4Tuple.Equal(IPTuple))
}

func TestFieldsAreFoundByName(t *testing.T) {
	require.Equal(t, 4, IPv4Tuple.Index("proto"))
	require.Equal(t, -1, IPv4Tuple.Index("vlan"))
	require.Equal(t, -1, IPv4Tuple.Index(""))
	require.Equal(t, 3, IPv4Tuple.MustIndex("dport"))
	require.Panics(t, func() { IPv4Tuple.MustIndex("vlan") })
}

func TestSchemaKeepsItsOwnCopyOfSymbols(t *testing.T) {
	symbols := []Symbol{{"A", 1}}
	s := MustSchema(Field{Name: "f", Kind: Enum, Bits: 2, Symbols: symbols})
	symbols[0] = Symbol{"B", 2}
	require.Equal(t, "f:enum:2:A=1", s.String())
}

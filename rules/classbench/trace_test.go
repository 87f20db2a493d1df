package classbench

import (
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// packets reads a whole trace as texts.
func packets(t *TraceReader, s *rules.Schema) (keys []rules.Key, filters []int64, err error) {
	for {
		k := s.NewKey()
		f, err := t.Next(k)
		if err == io.EOF {
			return keys, filters, nil
		}
		if err != nil {
			return keys, filters, err
		}
		if err := s.CheckKey(k); err != nil {
			return nil, nil, err
		}
		keys, filters = append(keys, k), append(filters, f)
	}
}

const trace = "# packets\n167772161\t3221225985\t4242\t80\t6\t4294967295\t12\n\n" +
	"  4294967295 0 65535 0 255 0 \r\n10.0.0.1 192.0.2.1 1 2 17"

func TestTracePacketsBecomeKeys(t *testing.T) {
	keys, filters, err := packets(NewTraceReader(strings.NewReader(trace), Options{}), rules.IPv4Tuple)
	require.NoError(t, err)
	require.Equal(t, []rules.Key{
		{0, 0x0a000001, 0xc0000201, 4242, 80, 6},
		{0, 0xffffffff, 0, 65535, 0, 255},
		{0, 0x0a000001, 0xc0000201, 1, 2, 17},
	}, keys)
	require.Equal(t, []int64{12, -1, -1}, filters)
}

func TestTraceFillsAnySchemaWithTheFieldsOfATuple(t *testing.T) {
	keys, _, err := packets(NewTraceReader(strings.NewReader(trace), Options{Schema: Schema6}), Schema6)
	require.NoError(t, err)
	require.Equal(t, rules.Key{1 << flags, 0x0a000001, 0xc0000201, 4242, 80, 6, 0}, keys[0])

	text := trace + "\n2001:db8::1 192.0.2.1 1 2 17\n"
	keys, _, err = packets(NewTraceReader(strings.NewReader(text), Options{Schema: rules.IPTuple}), rules.IPTuple)
	require.NoError(t, err)
	require.Equal(t, rules.Key{0, 0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, 0xc0000201, 4242, 80, 6}, keys[0])
	require.Equal(t, rules.Key{0, 0x20010db8, 0, 0, 1, 0, 0, 0xffff, 0xc0000201, 1, 2, 17}, keys[3])

	keys, _, err = packets(NewTraceReader(strings.NewReader(text), Options{Schema: rules.Firewall}), rules.Firewall)
	require.NoError(t, err)
	want := rules.Firewall.NewKey()
	for i := 5; i < rules.Firewall.Len(); i++ {
		rules.Firewall.SetAbsent(want, i)
	}
	copy(want[1:], keys[0][1:12])
	require.Equal(t, want, keys[0])

	odd := rules.MustSchema(rules.Field{Name: "dport", Bits: 40}, rules.Field{Name: "x", Bits: 1})
	keys, _, err = packets(NewTraceReader(strings.NewReader("1 2 3 4 5"), Options{Schema: odd}), odd)
	require.NoError(t, err)
	require.Equal(t, []rules.Key{{2, 0, 4, 0}}, keys)
}

func TestSchemaThatCannotHoldATraceIsRefused(t *testing.T) {
	for _, f := range []rules.Field{{Name: "src", Bits: 32}, {Name: "sport", Bits: 15}, {Name: "dport", Kind: rules.IPv4}, {Name: "proto", Bits: 4}} {
		s := rules.MustSchema(f)
		_, err := NewTraceReader(strings.NewReader(trace), Options{Schema: s}).Next(s.NewKey())
		require.ErrorContains(t, err, "field "+f.Name+" of the schema cannot hold a")
	}
}

func TestBadPacketIsRefusedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"1 2 65536 4 5":             `f:1:5: source port is above 65535: "65536"`,
		"1 2 3 99999999999999999 5": `f:1:7: destination port is above 65535: "99999999999999999"`,
		"1 2 3 4 256":               `f:1:9: protocol is above 255: "256"`,
		"4294967296 2 3 4 5":        `f:1:1: source address is above 4294967295: "4294967296"`,
		"1 -2 3 4 5":                `f:1:3: expected the destination address: "-2"`,
		"1 2 3 4":                   `f:1:8: expected a blank before the protocol, but the line ends`,
		"1 2 3 4 ":                  `f:1:9: expected the protocol, but the line ends`,
		"1 2 3 4 5 x":               `f:1:11: expected the flags: "x"`,
		"1 2 3 4 5 4294967296":      `f:1:11: flags is above 4294967295: "4294967296"`,
		"1 2 3 4 5 6 7 8":           `f:1:15: text behind the last column: "8"`,
		"1 2 3 4 5x":                `f:1:10: expected a blank before the flags: "x"`,
		"1 2 3 4 0x6":               `f:1:10: expected a blank before the flags: "x6"`,
		"1 2 3 4 5\n\n1,2,3,4,5":    `f:3:1: expected the source address, such as 10.0.0.0: "1,2,3,4,5"`,
		"::1 ::2 3 4 5":             `f:1:1: IPv6 address in a packet for IPv4 rules: "::1"`,
		"1.2.3.4.5 2 3 4 5":         `f:1:8: expected a blank before the destination address: ".5"`,
		"1 2 3 4 5 6\x00":           `f:1:12: NUL byte: this is not a text file`,
	} {
		r := NewTraceReader(strings.NewReader(text), Options{File: "f"})
		_, _, err := packets(r, rules.IPv4Tuple)
		require.EqualError(t, err, want, "%q", text)
		_, again := r.Next(rules.IPv4Tuple.NewKey())
		require.Equal(t, err, again)
	}
	_, err := NewTraceReader(strings.NewReader("1 2 3 4 5"), Options{File: "f", Schema: rules.IPv6Tuple}).Next(rules.IPv6Tuple.NewKey())
	require.EqualError(t, err, `f:1:1: IPv4 address in a packet for IPv6 rules: "1"`)
}

func TestTraceHasALengthLimitOnlyWhenOneIsSet(t *testing.T) {
	r := NewTraceReader(strings.NewReader(trace), Options{Limits: rules.Limits{MaxInput: 60}})
	keys, _, err := packets(r, rules.IPv4Tuple)
	require.ErrorIs(t, err, rules.ErrLimit)
	require.Len(t, keys, 1)
	require.Equal(t, 4, r.Line())
}

func TestNextDoesNotAllocate(t *testing.T) {
	const n = 2000
	for _, s := range []*rules.Schema{rules.IPv4Tuple, Schema6, rules.IPTuple, rules.Firewall} {
		r := NewTraceReader(strings.NewReader(strings.Repeat("167772161\t3221225985\t4242\t80\t6\t4294967295\t12\n", n+10)), Options{Schema: s})
		k := s.NewKey()
		_, err := r.Next(k)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(n, func() {
			if _, err := r.Next(k); err != nil {
				panic(err)
			}
		}))
	}
}

func pairs(keys []rules.Key, filters []int64) iter.Seq2[rules.Key, int64] {
	return func(yield func(rules.Key, int64) bool) {
		for i := range keys {
			if !yield(keys[i], filters[i]) {
				return
			}
		}
	}
}

func TestReadAfterWriteTraceGivesTheSamePackets(t *testing.T) {
	text := "2001:db8::1 ::ffff:192.0.2.1 1 2 17 0 4294967295\n:: 1::2 0 65535 255\n"
	for _, s := range []*rules.Schema{rules.IPv4Tuple, Schema6, rules.IPTuple, rules.IPv6Tuple, Schema6IPv6, rules.Firewall} {
		in := trace
		if s.Field(0).Kind == rules.IPv6 {
			in = text
		} else if s.Field(0).Kind == rules.IP {
			in += "\n" + text
		}
		keys, filters, err := packets(NewTraceReader(strings.NewReader(in), Options{Schema: s}), s)
		require.NoError(t, err)
		var b strings.Builder
		require.NoError(t, WriteTrace(&b, s, pairs(keys, filters)))
		keys2, filters2, err := packets(NewTraceReader(strings.NewReader(b.String()), Options{Schema: s}), s)
		require.NoError(t, err, b.String())
		require.Equal(t, keys, keys2)
		require.Equal(t, filters, filters2)
	}
}

func TestPacketThatATraceCannotSayIsRefused(t *testing.T) {
	noPorts := rules.Tuple4{NoPorts: true}.Key()
	for _, k := range []rules.Key{noPorts[:], {0, 1, 2, 65536, 4, 5}, {0, 1}} {
		require.ErrorContains(t, WriteTrace(io.Discard, rules.IPv4Tuple, pairs([]rules.Key{k}, []int64{0})), "classbench: packet 1: ")
	}
	require.ErrorContains(t, WriteTrace(io.Discard, Schema6, pairs([]rules.Key{Schema6.NewKey()}, []int64{0})), "exactly the 5-tuple")
	require.ErrorIs(t, WriteTrace(io.Discard, rules.IPv4Tuple, pairs([]rules.Key{rules.IPv4Tuple.NewKey()}, []int64{1 << 32})), rules.ErrLimit)
	require.ErrorIs(t, WriteTrace(io.Discard, rules.MustSchema(), pairs(nil, nil)), rules.ErrUnsupported)
	require.EqualError(t, WriteTrace(full{}, rules.IPv4Tuple, pairs([]rules.Key{rules.IPv4Tuple.NewKey()}, []int64{0})), "disk full")
}

package classbench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestWriteGivesTheFormOfClassBench(t *testing.T) {
	l, err := Read(strings.NewReader(sample), Options{})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, Write(&b, l))
	require.Equal(t, ""+
		"@10.0.0.0/8\t192.0.2.7/32\t0 : 65535\t80 : 80\t0x06/0xFF\t0x1000/0x1000\t\n"+
		"@0.0.0.0/0\t0.0.0.0/0\t1024 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000\t\n"+
		"@203.0.113.8/31\t0.0.0.0/0\t53 : 53\t0 : 1023\t0x11/0xFF\t0xffff/0x0200\t\n"+
		"@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x06/0x0F\t0x0000/0x0000\t\n", b.String())
}

func TestReadAfterWriteGivesTheSameRules(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, six := range []bool{false, true} {
		for _, fields := range []int{5, 6} {
			var text strings.Builder
			for range 300 {
				lo := rnd.IntN(65536)
				hi := lo + rnd.IntN(65536-lo)
				a, b := fmt.Sprintf("%d.%d.0.%d", rnd.IntN(256), rnd.IntN(2), rnd.IntN(256)), "0.0.0.0"
				n := rnd.IntN(33)
				if six {
					a, b = fmt.Sprintf("%x::%x:0", rnd.IntN(65536), rnd.IntN(65536)), "::ffff:1.2.3.4"
					n = rnd.IntN(129)
				}
				fmt.Fprintf(&text, "@%s/%d\t%s/%d\t%d : %d\t0 : %d\t%d/0x%x\t%d/0x%x\n", a, n, b, rnd.IntN(33), lo, hi,
					65535-rnd.IntN(2), rnd.IntN(256), []int{0, 0xff, 0x0f}[rnd.IntN(3)], rnd.IntN(65536), []int{0, 0xff00, 0x200}[rnd.IntN(3)])
			}
			l, err := Read(strings.NewReader(text.String()), Options{Fields: fields})
			require.NoError(t, err)
			var out strings.Builder
			require.NoError(t, Write(&out, l))
			m, err := Read(strings.NewReader(out.String()), Options{Fields: fields})
			require.NoError(t, err)
			require.Same(t, l.Schema(), m.Schema())
			require.Equal(t, texts(l), texts(m))
			for i := range l.Len() {
				require.Equal(t, l.At(i).Value, m.At(i).Value)
			}
		}
	}
}

func TestRuleThatTheFormCannotSayIsRefused(t *testing.T) {
	cond := func(s *rules.Schema, text string) []rules.Cond {
		var out []rules.Cond
		for _, part := range strings.Fields(text) {
			c, err := s.ParseCond(part)
			require.NoError(t, err)
			out = append(out, c)
		}
		return out
	}
	for _, text := range []string{
		"src!=10.0.0.0/8", "src=10.0.0.1-10.0.0.2", "src=10.0.0.1,10.0.0.3", "src=10.0.0.1/255.0.255.0", "src?=10.0.0.1",
		"sport=*", "dport=80,443", "dport={}", "dport=80&80/0xff", "dport=80/0xff", "proto=1-6", "proto=1,6", "proto=0xff/0x0f",
		"sport=1-5 sport=2-9", "proto=6/0",
	} {
		l, err := rules.NewList(rules.IPv4Tuple, rules.Rule[Flags]{Conds: cond(rules.IPv4Tuple, text)})
		require.NoError(t, err)
		err = Write(&strings.Builder{}, l)
		require.ErrorIs(t, err, rules.ErrUnsupported, text)
		require.ErrorContains(t, err, "classbench: rule 1: ", text)
	}
	for _, r := range []rules.Rule[Flags]{{Continue: true}, {Unknown: "x"}, {Conds: cond(Schema6, "flags=1")}, {Conds: cond(Schema6, "flags=2/1")}} {
		l, err := rules.NewList(Schema6, r)
		require.NoError(t, err)
		require.ErrorIs(t, Write(&strings.Builder{}, l), rules.ErrUnsupported)
	}
	l, err := rules.NewList[Flags](rules.Firewall)
	require.NoError(t, err)
	require.ErrorIs(t, Write(&strings.Builder{}, l), rules.ErrUnsupported)
}

func TestSixthColumnIsWhatTheRuleMatches(t *testing.T) {
	l, err := rules.NewList(Schema6,
		rules.Rule[Flags]{Conds: []rules.Cond{rules.Masked(flags, rules.U64(2), rules.U64(3))}},
		rules.Rule[Flags]{Value: Flags{7, 3}})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, Write(&b, l))
	require.Equal(t, ""+
		"@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0002/0x0003\t\n"+
		"@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000\t\n", b.String())
}

// full refuses to be written to.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("disk full") }

func TestWriteReportsAFailingWriter(t *testing.T) {
	l, err := Read(strings.NewReader(strings.Repeat("@1.2.3.4/8 1.2.3.4/8 0:1 0:1 6/255\n", 100)), Options{})
	require.NoError(t, err)
	require.EqualError(t, Write(full{}, l), "disk full")
}

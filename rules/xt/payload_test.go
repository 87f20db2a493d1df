package xt_test

// Tests on payload against slow and plain versions of themselves, over packets
// in pieces, and on programs and patterns that nobody would write.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// datagram is a raw IPv4 packet with a body behind its header.
func datagram(body []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 253, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(body)))
	return append(h, body...)
}

// cutUp cuts bytes into pieces of lengths that sizes say, in turn.
func cutUp(b, sizes []byte) (s packet.Segments) {
	for i := 0; len(b) > 0; i++ {
		n := len(b)
		if len(sizes) > 0 {
			n = min(n, 1+int(sizes[i%len(sizes)])%40)
		}
		s, b = append(s, b[:n]), b[n:]
	}
	return s
}

// over returns a traversal of the packet in pieces.
func over(t testing.TB, b, sizes []byte) *xt.Traversal {
	tr := xt.NewTraversal(rules.Firewall)
	tr.State = &xt.State{Random: func() uint32 { return 4 }}
	require.NoError(t, tr.Packet.DecodeSegments(cutUp(b, sizes), packet.LinkRaw))
	return tr
}

// fold makes letters of Latin-1 capital.
func fold(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 0xe0 && c != 0xf7, c == 0xdf:
			b[i] = c - 32
		}
	}
	return b
}

func plainString(m xt.StringMatch, b []byte) rules.Outcome {
	p := m.Pattern
	if m.IgnoreCase {
		b, p = fold(b), fold(p)
	}
	found := false
	for at := m.From; at+len(p) <= min(m.To, len(b)); at++ {
		found = found || bytes.Equal(b[at:at+len(p)], p)
	}
	if found != m.Not {
		return rules.Yes
	}
	return rules.No
}

func FuzzStringMatchFindsWhatAPlainSearchFinds(f *testing.F) {
	f.Add([]byte("abababac"), []byte("ababac"), 0, 65535, []byte{3}, uint8(0))
	f.Add([]byte("GET / HTTP"), []byte("get"), 20, 23, []byte{0, 1}, uint8(3))
	f.Add([]byte{0xe9, 0xdf, 0xff, 0xf7}, []byte{0xc9, 0xbf, 0xdf, 0xd7}, 0, 24, []byte{}, uint8(1))
	f.Fuzz(func(t *testing.T, body, pattern []byte, from, to int, sizes []byte, flags uint8) {
		m := xt.StringMatch{Pattern: pattern, From: from, To: to, IgnoreCase: flags&1 != 0, Not: flags&2 != 0}
		test, err := m.Test()
		if len(pattern) == 0 || len(pattern) > xt.MaxPattern || from > to {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		b := datagram(body[:min(len(body), 1000)])
		m.From = max(from, 0)
		got, needs := test.Ask(over(t, b, sizes))
		require.Equal(t, plainString(m, b), got)
		require.Empty(t, needs)
	})
}

func TestStringMatchFindsPatternsThatRepeatThemselves(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for range 3000 {
		body, pattern := make([]byte, r.IntN(60)), make([]byte, 1+r.IntN(6))
		for _, b := range [][]byte{body, pattern} {
			for i := range b {
				b[i] = "aAb"[r.IntN(3)]
			}
		}
		m := xt.StringMatch{Pattern: pattern, From: r.IntN(40), IgnoreCase: r.IntN(2) == 0, Not: r.IntN(2) == 0}
		m.To = m.From + r.IntN(60)
		test, err := m.Test()
		require.NoError(t, err)
		want := plainString(m, datagram(body))
		for _, sizes := range [][]byte{nil, {0}, {1, 2, 0}, {24}} {
			got, _ := test.Ask(over(t, datagram(body), sizes))
			require.Equal(t, want, got, "%+v in %q", m, body)
		}
		if want == rules.Yes {
			hits++
		}
	}
	require.Greater(t, hits, 500)
	require.Less(t, hits, 2500)
}

// plainU32 is one test of match u32 on bytes in one piece.
func plainU32(u xt.U32Test, b []byte) bool {
	at, v := uint64(0), uint64(0)
	for i, s := range u.Steps {
		n := uint64(s.Number)
		switch {
		case i == 0 || s.Op == xt.U32At:
			if at += v; at+n+4 > uint64(len(b)) {
				return false
			}
			v = uint64(binary.BigEndian.Uint32(b[at+n:]))
		case s.Op == xt.U32And:
			v &= n
		case s.Op == xt.U32Left:
			v = v << n & 0xffffffff
		default:
			v >>= n
		}
	}
	for _, r := range u.Ranges {
		if uint64(r.Min) <= v && v <= uint64(r.Max) {
			return true
		}
	}
	return false
}

// u32Of makes tests of bytes: small numbers mostly, so that some of them hit.
func u32Of(b []byte) (m xt.U32Match) {
	next := func() uint32 {
		if len(b) == 0 {
			return 0
		}
		x := uint32(b[0])
		if b = b[1:]; x >= 250 && len(b) >= 4 {
			x = binary.BigEndian.Uint32(b)
			b = b[4:]
		}
		return x
	}
	m.Not = next()&1 != 0
	for range 1 + next()%3 {
		var u xt.U32Test
		for range 1 + next()%5 {
			s := xt.U32Step{Op: xt.U32Op(next() % 4), Number: next()}
			if s.Op == xt.U32Left || s.Op == xt.U32Right {
				s.Number %= 32
			}
			u.Steps = append(u.Steps, s)
		}
		for range 1 + next()%3 {
			u.Ranges = append(u.Ranges, xt.U32Range{Min: next(), Max: next() * next()})
		}
		m.Tests = append(m.Tests, u)
	}
	return m
}

func FuzzU32HoldsWhereAPlainReadingHolds(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 9, 0, 0, 255, 0, 253, 255}, []byte("xyz"), []byte{4})
	f.Add([]byte{1, 2, 3, 0, 2, 22, 1, 60, 3, 0}, []byte("xyzxyzxyz"), []byte{})
	f.Fuzz(func(t *testing.T, program, body, sizes []byte) {
		m := u32Of(program)
		test, err := m.Test()
		require.NoError(t, err)
		b := datagram(body[:min(len(body), 1000)])
		want := true
		for _, u := range m.Tests {
			want = want && plainU32(u, b)
		}
		got, needs := test.Ask(over(t, b, sizes))
		require.Equal(t, map[bool]rules.Outcome{true: rules.Yes, false: rules.No}[want != m.Not], got, "%+v", m)
		require.Empty(t, needs)
	})
}

func TestU32MatchesHaveBounds(t *testing.T) {
	one := xt.U32Test{Steps: make([]xt.U32Step, 1), Ranges: make([]xt.U32Range, 1)}
	for _, bad := range []xt.U32Match{
		{},
		{Tests: []xt.U32Test{{Ranges: one.Ranges}}},
		{Tests: []xt.U32Test{{Steps: one.Steps}}},
		{Tests: []xt.U32Test{{Steps: make([]xt.U32Step, 11), Ranges: one.Ranges}}},
		{Tests: []xt.U32Test{{Steps: one.Steps, Ranges: make([]xt.U32Range, 11)}}},
		{Tests: []xt.U32Test{{Steps: []xt.U32Step{{}, {Op: 4}}, Ranges: one.Ranges}}},
		{Tests: []xt.U32Test{{Steps: []xt.U32Step{{}, {Op: xt.U32Left, Number: 32}}, Ranges: one.Ranges}}},
		{Tests: []xt.U32Test{{Steps: []xt.U32Step{{}, {Op: xt.U32Right, Number: 1 << 31}}, Ranges: one.Ranges}}},
		{Tests: []xt.U32Test{one, one, one, one, one, one, one, one, one, one, one}},
	} {
		_, err := bad.Test()
		require.Error(t, err, "%+v", bad)
	}
}

// programOf makes a program of bytes, eight for each instruction.
func programOf(b []byte) (p []xt.Instruction) {
	for ; len(b) >= 8; b = b[8:] {
		p = append(p, xt.Instruction{Code: binary.BigEndian.Uint16(b), JT: b[2], JF: b[3], K: binary.BigEndian.Uint32(b[4:])})
	}
	return p
}

func FuzzProgramsEndAndReadNothingElseThanThePacket(f *testing.F) {
	seed := func(p ...xt.Instruction) {
		var b []byte
		for _, in := range p {
			b = binary.BigEndian.AppendUint16(b, in.Code)
			b = binary.BigEndian.AppendUint32(append(b, in.JT, in.JF), in.K)
		}
		f.Add(b, []byte("some bytes"), []byte{5})
	}
	ret := xt.Instruction{Code: 0x16}
	seed(xt.Instruction{Code: 0x30, K: 9}, xt.Instruction{Code: 0x15, JF: 1, K: 6}, xt.Instruction{Code: 6, K: 1}, xt.Instruction{Code: 6})
	seed(xt.Instruction{Code: 0xb1}, xt.Instruction{Code: 0x50, K: 1}, xt.Instruction{Code: 2, K: 3}, xt.Instruction{Code: 0x61, K: 3}, xt.Instruction{Code: 0x3c}, ret)
	seed(xt.Instruction{Code: 0x20, K: 0xfffff000 + 12}, xt.Instruction{Code: 0x20, K: 0xfffff000 + 16}, xt.Instruction{Code: 0x20, K: 0xfffff000 + 56}, ret)
	seed(xt.Instruction{Code: 0x40, K: 0xfff00000}, xt.Instruction{Code: 0x20, K: 0xfffff000 + 52}, ret)
	f.Fuzz(func(t *testing.T, code, body, sizes []byte) {
		program := programOf(code)
		test, err := xt.NewBPF(program)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(program), xt.MaxProgram)
		b := datagram(body[:min(len(body), 1000)])
		want, needs := test.Ask(over(t, b, nil))
		got, needs2 := test.Ask(over(t, b, sizes))
		require.Equal(t, want, got)
		require.Equal(t, needs, needs2)
		require.Equal(t, want == rules.Unsure, needs != "")
	})
}

func TestProgramsAreCheckedAsTheKernelChecksThem(t *testing.T) {
	end := xt.Instruction{Code: 6, K: 1}
	for _, good := range [][]xt.Instruction{
		{end},
		{{Code: 0x16}},
		{{Code: 0x34, K: 1}, end},
		{{Code: 0x64, K: 31}, end},
		{{Code: 0x05, K: 0}, end},
		{{Code: 0x15}, end},
		{{Code: 2, K: 15}, {Code: 0x60, K: 15}, end},
		{{Code: 0x15, JT: 0, JF: 1}, {Code: 2, K: 1}, end},
		{{Code: 2, K: 1}, {Code: 0x15, JT: 0, JF: 1}, {Code: 0x61, K: 1}, {Code: 0x61, K: 1}, end}, // written on both ways
		{{Code: 0x20, K: 0xfffff000 + 60}, end},
		{{Code: 0x40, K: 0xffffffff}, end},
		make63(end),
	} {
		_, err := xt.NewBPF(good)
		require.NoError(t, err, "%v", good)
	}
	for _, bad := range [][]xt.Instruction{
		nil,
		{{Code: 0x30, K: 9}},       // does not return
		{{Code: 0x0e}},             // returns X
		{{Code: 0x100}, end},       // no such operation
		{{Code: 0x18}, end},        // nor this
		{{Code: 0x34, K: 0}, end},  // division by 0
		{{Code: 0x94, K: 0}, end},  // remainder of it
		{{Code: 0x64, K: 32}, end}, // shift by 32
		{{Code: 2, K: 16}, end},    // no such word
		{{Code: 0x60, K: 16}, end}, // nor this
		{{Code: 0x05, K: 1}, end},  // jump behind the end
		{{Code: 0x05, K: 0xffffffff}, end},
		{{Code: 0x15, JT: 1}, end},
		{{Code: 0x1d, JF: 1}, end},
		{{Code: 0x61, K: 1}, end}, // not written
		{{Code: 0x15, JF: 1}, {Code: 2, K: 1}, {Code: 0x61, K: 1}, end}, // not on both ways
		{{Code: 0x05, K: 1}, {Code: 2, K: 1}, {Code: 0x61, K: 1}, end},  // jumped over
		{{Code: 0x20, K: 0xfffff000 + 64}, end},                         // no such extension
		{{Code: 0x20, K: 0xfffff001}, end},
		append(make63(end), end, end),
	} {
		_, err := xt.NewBPF(bad)
		require.Error(t, err, "%v", bad)
	}
}

// make63 returns a program of 63 instructions.
func make63(end xt.Instruction) (p []xt.Instruction) {
	for range 63 {
		p = append(p, end)
	}
	return p
}

func TestProgramsComputeAsTheKernelDoes(t *testing.T) {
	const ext = 0xfffff000
	load := func(k uint32) xt.Instruction { return xt.Instruction{Code: 0, K: k} }
	loadX := func(k uint32) xt.Instruction { return xt.Instruction{Code: 1, K: k} }
	tr := over(t, datagram([]byte{8, 0, 5, 0, 1, 2, 3, 4, 8, 0, 6, 0x80, 4, 0, 7, 0}), []byte{2})
	tr.Packet.Env = &packet.Env{Has: packet.HasCPU, CPU: 3}
	for name, c := range map[string]struct {
		want    uint32
		program []xt.Instruction
	}{
		"add, wrapping":       {3, []xt.Instruction{load(0xffffffff), {Code: 0x04, K: 4}}},
		"subtract X":          {2, []xt.Instruction{load(5), loadX(3), {Code: 0x1c}}},
		"multiply":            {15, []xt.Instruction{load(5), {Code: 0x24, K: 3}}},
		"divide":              {2, []xt.Instruction{load(7), {Code: 0x34, K: 3}}},
		"remainder":           {1, []xt.Instruction{load(7), {Code: 0x94, K: 3}}},
		"or, and, xor":        {0x15, []xt.Instruction{load(0x10), {Code: 0x44, K: 3}, {Code: 0x54, K: 0x1e}, {Code: 0xa4, K: 7}}},
		"shift by X is by 31": {2, []xt.Instruction{load(1), loadX(33), {Code: 0x6c}}},
		"shift right":         {1, []xt.Instruction{load(0x10), {Code: 0x74, K: 4}}},
		"negative":            {0xfffffffb, []xt.Instruction{load(5), {Code: 0x84}}},
		"memory":              {9, []xt.Instruction{load(9), {Code: 2, K: 4}, load(0), {Code: 0x60, K: 4}}},
		"X to memory":         {9, []xt.Instruction{loadX(9), {Code: 3, K: 4}, {Code: 0x60, K: 4}}},
		"X from memory":       {9, []xt.Instruction{load(9), {Code: 2, K: 4}, {Code: 0x61, K: 4}, {Code: 0x87}}},
		"A to X":              {9, []xt.Instruction{load(9), {Code: 7}, load(0), {Code: 0x87}}},
		"length":              {36, []xt.Instruction{{Code: 0x80}}},
		"length in X":         {36, []xt.Instruction{{Code: 0x81}, {Code: 0x87}}},
		"header length":       {20, []xt.Instruction{{Code: 0xb1}, {Code: 0x87}}},
		"byte":                {64, []xt.Instruction{{Code: 0x30, K: 8}}},
		"half word":           {0x40fd, []xt.Instruction{{Code: 0x28, K: 8}}},
		"word behind X":       {0xc0000201, []xt.Instruction{loadX(8), {Code: 0x40, K: 4}}},
		"word before X":       {0xc0000201, []xt.Instruction{loadX(16), {Code: 0x40, K: 0xfffffffc}}},
		"from the header on":  {0x4500, []xt.Instruction{{Code: 0x28, K: 0xfff00000}}},
		"no such byte":        {0, []xt.Instruction{load(7), {Code: 0x30, K: 36}}},
		"half behind the end": {0, []xt.Instruction{load(7), {Code: 0x28, K: 35}}},
		"protocol":            {0x800, []xt.Instruction{{Code: 0x28, K: ext}}},
		"cpu":                 {3, []xt.Instruction{{Code: 0x20, K: ext + 36}}},
		"A xor X":             {6, []xt.Instruction{load(5), loadX(3), {Code: 0x20, K: ext + 40}}},
		"random number":       {4, []xt.Instruction{{Code: 0x20, K: ext + 56}}},
		"attribute":           {28, []xt.Instruction{load(20), loadX(6), {Code: 0x20, K: ext + 12}}},
		"no attribute":        {0, []xt.Instruction{load(20), loadX(9), {Code: 0x20, K: ext + 12}}},
		"nested attribute":    {32, []xt.Instruction{load(28), loadX(7), {Code: 0x20, K: ext + 16}}},
		"attribute too far":   {0, []xt.Instruction{load(33), loadX(6), {Code: 0x20, K: ext + 12}}},
	} {
		// Returns whether A is what is expected, then whether it is something else.
		for k, yes := range map[uint32]rules.Outcome{c.want: rules.Yes, c.want + 1: rules.No} {
			p := append(append([]xt.Instruction{}, c.program...), xt.Instruction{Code: 0x15, JF: 1, K: k}, xt.Instruction{Code: 6, K: 1}, xt.Instruction{Code: 6})
			if name == "no such byte" || name == "half behind the end" {
				yes = rules.No // the program ends
			}
			test, err := xt.NewBPF(p)
			require.NoError(t, err, name)
			got, needs := test.Ask(tr)
			require.Equal(t, yes, got, name)
			require.Empty(t, needs, name)
		}
	}
	for k, needs := range map[uint32]string{ext + 4: "the packet's type", ext + 8: "the interface's number", ext + 24: "the receive queue",
		ext + 44: "the VLAN tag", ext + 52: "the offset of the payload", 0xffe00000: "the link-layer header"} {
		test, err := xt.NewBPF([]xt.Instruction{{Code: 0x20, K: k}, {Code: 0x16}})
		require.NoError(t, err)
		got, missing := test.Ask(tr)
		require.Equal(t, rules.Unsure, got)
		require.Equal(t, needs, missing)
	}
}

func TestPayloadOffsetIsBehindTheTransportHeader(t *testing.T) {
	for proto, c := range map[byte]struct {
		body []byte
		want uint32
	}{
		packet.UDP:  {make([]byte, 8), 28},
		packet.ICMP: {make([]byte, 8), 28},
		packet.SCTP: {make([]byte, 12), 32},
		packet.TCP:  {append(append(make([]byte, 12), 0x80), make([]byte, 19)...), 52},
	} {
		b := datagram(c.body)
		b[9] = proto
		test, err := xt.NewBPF([]xt.Instruction{{Code: 0x20, K: 0xfffff000 + 52}, {Code: 0x15, JF: 1, K: c.want}, {Code: 6, K: 1}, {Code: 6}})
		require.NoError(t, err)
		got, _ := test.Ask(over(t, b, nil))
		require.Equal(t, rules.Yes, got, fmt.Sprint(proto))
	}
}

func TestTestsOnPayloadDoNotAllocate(t *testing.T) {
	text, err := xt.StringMatch{Pattern: []byte("needle"), To: 65535}.Test()
	require.NoError(t, err)
	u32, err := xt.U32Match{Tests: []xt.U32Test{{Steps: []xt.U32Step{{Number: 6}, {Op: xt.U32And, Number: 255}}, Ranges: []xt.U32Range{{Min: 253, Max: 253}}}}}.Test()
	require.NoError(t, err)
	bpf, err := xt.NewBPF([]xt.Instruction{{Code: 0xb1}, {Code: 0x40, K: 3}, {Code: 0x16}})
	require.NoError(t, err)
	for _, sizes := range [][]byte{nil, {2}} {
		tr := over(t, datagram([]byte("where is the needle?")), sizes)
		for _, test := range []rules.Test{text, u32, bpf} {
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if o, _ := test.Ask(tr); o != rules.Yes {
					t.Fatal("does not hold")
				}
			}))
		}
	}
}

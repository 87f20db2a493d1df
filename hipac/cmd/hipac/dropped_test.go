package main

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

// unreadable returns a capture of two TCP packets that are whole, two that end
// inside the header, and a fragment that begins inside it.
func unreadable(t *testing.T) string {
	whole := frame(tcp(1, 80, synFlag))
	short := frame(tcp(1, 80, synFlag))[:14+20+8]
	binary.BigEndian.PutUint16(short[16:], 28)
	tiny := tcp(0, 0, 0)
	tiny.FragOffset, tiny.Length = 1, 40
	return pcap(t, whole, short, frame(tiny), whole, short)
}

func TestWhatARuleAcceptsAndWhatItCannotReadStandApart(t *testing.T) {
	r := file(t, "r", "*filter\n:INPUT DROP\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n")
	in := unreadable(t)
	for _, e := range []string{"tree", "index", "linear"} {
		text := invoke(t, in, "--rules", r, "--packets", "-", "--chain", "INPUT", "--engine", e).stdout
		_, text, _ = strings.Cut(text, "\nDecided by\n")
		text, _, _ = strings.Cut(text, "\n\n")
		require.Equal(t, `         2   40.0%  INPUT/1  ACCEPT  -p tcp -m tcp --dport 80 -j ACCEPT
         2   40.0%  INPUT/1  DROP    -p tcp -m tcp --dport 80 -j ACCEPT (dropped: a header that the rule reads is cut or contradicts itself)
         1   20.0%  INPUT/1  DROP    -p tcp -m tcp --dport 80 -j ACCEPT (dropped: it is a fragment of TCP that begins inside the header)`, text)
		lines := strings.Split(strings.TrimSpace(invoke(t, in, "--rules", r, "--packets", "-", "--chain", "INPUT", "--engine", e, "--output", "json").stdout), "\n")
		var s map[string]summaryJSON
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &s))
		require.Len(t, s["summary"].Rules, 3)
	}
	p := file(t, "p", in)
	trace := invoke(t, "", "trace", "--rules", r, "--packets", p, "--hook", "input").stdout
	require.Equal(t, 2, strings.Count(trace, "drops the packet: a header that the rule reads is cut or contradicts itself\n"))
	require.Equal(t, 1, strings.Count(trace, "drops the packet: it is a fragment of TCP that begins inside the header\n"))
}

func TestAMatchThatGivesUpForAnotherReasonSaysSo(t *testing.T) {
	r := file(t, "r", "*filter\n-A FORWARD -m hashlimit --hashlimit-upto 1/s --hashlimit-name h --hashlimit-mode srcip --hashlimit-htable-size 1 --hashlimit-htable-max 1 --hashlimit-htable-expire 60000 -j ACCEPT\nCOMMIT\n")
	other := packet.Packet{Proto: packet.UDP, SrcPort: 1, DstPort: 2, Length: 28}
	first := frame(other)
	second := frame(other)
	second[14+15]++ // of the source's address
	text := output(t, pcap(t, first, second), "--rules", r, "--packets", "-")
	require.Contains(t, text, " -j ACCEPT (dropped: a match of the rule gives it up)\n")
}

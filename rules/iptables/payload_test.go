package iptables

// Matches on payload: which packets they meet, whole, in pieces and cut.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

func TestPayloadAndEnvironmentMatchesArePrintedAsTheToolsDo(t *testing.T) {
	checkPrinted(t, "testdata/payload.txt")
}

// ruleOf reads one rule into a table of its own, in chain c of mangle.
func ruleOf(t *testing.T, rule string, family int) (*rules.Table, int) {
	t.Helper()
	rs, err := Read(strings.NewReader("*mangle\n:c - [0:0]\n-A c "+rule+" -j DROP\nCOMMIT\n"), Options{Family: family})
	require.NoError(t, err, rule)
	return rs.Tables[0], rs.Tables[0].Find("c")
}

// say puts a result in a word: "yes", "no", "drop" for a packet that cannot be
// read, or what is missing.
func say(r rules.Result) string {
	switch {
	case r.Dropped:
		return "drop"
	case r.Needs != "":
		return r.Needs
	case r.Verdict == rules.Drop:
		return "yes"
	}
	return "no"
}

// udp4 is an IPv4 packet with a text behind its UDP header, which begins at
// byte 28.
func udp4(t *testing.T, text string) []byte {
	return ip4(t, 17, 0, "1f90 0050 0008 0000"+fmt.Sprintf("%x", text))
}

func sctp4(t *testing.T, chunks string) []byte {
	return ip4(t, 132, 0, "1f90 0050 00000000 00000000"+chunks)
}

const (
	dataChunk  = "00 03 0010 00000000 00000000 00000000" // beginning and end
	dataMiddle = "00 00 0010 00000000 00000000 00000000"
	sackChunk  = "03 00 0004"
	abortChunk = "06 01 0005 ff000000"
)

func TestPayloadMatchesMeetWhatTheKernelMeets(t *testing.T) {
	text := udp4(t, "GET /index HTTP/1.1\r\nHost: \xe9t\xc9") // 28..
	for _, c := range []struct {
		rule   string
		packet []byte
		want   string
	}{
		{`-m string --algo bm --string GET`, text, "yes"},
		{`-m string --algo bm ! --string GET`, text, "no"},
		{`-m string --algo kmp --string PUT`, text, "no"},
		{`-m string --algo kmp ! --string PUT`, text, "yes"},
		{`-m string --algo bm --string get`, text, "no"},
		{`-m string --algo bm --string get --icase`, text, "yes"},
		{`-m string --algo kmp --hex-string "|c954 e9|" --icase`, text, "yes"}, // Latin-1
		{`-m string --algo kmp --hex-string "|c954 e9|"`, text, "no"},
		{`-m string --algo bm --hex-string "|0d0a|Host"`, text, "yes"},
		{`-m string --algo bm --hex-string "|4500|"`, text, "yes"}, // from the IP header on
		{`-m string --algo bm --hex-string "|4500|" --from 1`, text, "no"},
		{`-m string --algo bm --string GET --from 28 --to 31`, text, "yes"},
		{`-m string --algo bm --string GET --from 28 --to 30`, text, "no"},
		{`-m string --algo bm ! --string GET --from 28 --to 30`, text, "yes"},
		{`-m string --algo bm --string GET --from 29`, text, "no"},
		{`-m string --algo bm --string GET --to 0`, text, "no"},
		{`-m string --algo bm --string aab`, udp4(t, "aaaaaab"), "yes"},
		{`-m string --algo kmp --string ababac`, udp4(t, "abababac"), "yes"},
		{`-m string --algo kmp --string ababac --icase`, udp4(t, "abaBabAC"), "yes"},

		{`-m u32 --u32 "0>>16&0xff=0"`, text, "yes"},
		{`-m u32 --u32 "6&0xff=17"`, text, "yes"},
		{`-m u32 --u32 "6&0xff=1,5:16"`, text, "no"},
		{`-m u32 ! --u32 "6&0xff=1,5:16"`, text, "yes"},
		{`-m u32 --u32 "6&0xff=17&&12=0xc0000201&&16=0xc0000200:0xc00002ff"`, text, "yes"},
		{`-m u32 --u32 "0>>22&0x3c@8=0x47455420"`, text, "yes"}, // behind the IP header
		{`-m u32 --u32 "0>>22&0x3c@5>>24@0=0:0xffffffff"`, text, "yes"},
		{`-m u32 --u32 "4=0:0xffffffff"`, ip4(t, 17, 0, ""), "yes"},
		{`-m u32 --u32 "16=0:0xffffffff"`, ip4(t, 17, 0, ""), "yes"},
		{`-m u32 --u32 "17=0:0xffffffff"`, ip4(t, 17, 0, ""), "no"}, // beyond the end
		{`-m u32 ! --u32 "17=0:0xffffffff"`, ip4(t, 17, 0, ""), "yes"},
		{`-m u32 --u32 "0@0=0:0xffffffff"`, text, "no"},
		{`-m u32 --u32 "6<<24>>24=17"`, text, "yes"},
		{`-m u32 --u32 "6<<24>>25=17"`, text, "no"},
		{`-m u32 --u32 "6<<24=0x11000000"`, text, "yes"},
		{`-m u32 --u32 "0=5:4"`, text, "no"},

		{`-m bpf --bytecode "4,48 0 0 9,21 0 1 17,6 0 0 1,6 0 0 0"`, text, "yes"},
		{`-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"`, text, "no"},
		{`-m bpf --bytecode "5,177 0 0 0,72 0 0 2,21 0 1 80,6 0 0 1,6 0 0 0"`, text, "yes"}, // X = header length, port behind it
		{`-m bpf --bytecode "2,48 0 0 4293918729,22 0 0 0"`, text, "yes"},                   // protocol, from the network header
		{`-m bpf --bytecode "2,48 0 0 1000,6 0 0 1"`, text, "no"},                           // beyond the end
		{`-m bpf --bytecode "4,0 0 0 5,1 0 0 0,60 0 0 0,6 0 0 1"`, text, "no"},              // division by X = 0
		{`-m bpf --bytecode "4,32 0 0 4294963220,21 0 1 5,6 0 0 1,6 0 0 0"`, text, "no"},    // the mark is 7
		{`-m bpf --bytecode "4,32 0 0 4294963220,21 0 1 7,6 0 0 1,6 0 0 0"`, text, "yes"},
		{`-m bpf --bytecode "2,48 0 0 4292870144,22 0 0 0"`, text, "the link-layer header"},
		{`-m bpf --object-pinned /x`, text, "bpf object /x"},

		{`-p sctp --chunk-types any DATA`, sctp4(t, dataChunk), "yes"},
		{`-p sctp --chunk-types any DATA:b`, sctp4(t, dataChunk), "no"},
		{`-p sctp --chunk-types any DATA:b`, sctp4(t, dataChunk+dataMiddle), "yes"},
		{`-p sctp ! --chunk-types any DATA:b`, sctp4(t, dataChunk+dataMiddle), "no"},
		{`-p sctp --chunk-types all DATA,SACK`, sctp4(t, dataChunk), "no"},
		{`-p sctp --chunk-types all DATA,SACK`, sctp4(t, abortChunk+sackChunk+dataChunk), "yes"},
		{`-p sctp --chunk-types all DATA:b,SACK`, sctp4(t, sackChunk+dataChunk), "no"},
		{`-p sctp --chunk-types only DATA,SACK`, sctp4(t, sackChunk+dataChunk), "yes"},
		{`-p sctp --chunk-types only DATA,SACK`, sctp4(t, abortChunk+sackChunk), "no"},
		{`-p sctp ! --chunk-types only DATA,SACK`, sctp4(t, abortChunk+sackChunk), "yes"},
		{`-p sctp --chunk-types only DATA:BE`, sctp4(t, dataChunk+dataMiddle), "no"},
		{`-p sctp --chunk-types any ABORT:T`, sctp4(t, abortChunk), "yes"},
		{`-p sctp --chunk-types any SACK`, sctp4(t, ""), "drop"},
		{`-p sctp --chunk-types any SACK`, sctp4(t, dataChunk+"0000"), "drop"},
		{`-p sctp --chunk-types any SACK`, sctp4(t, "00000000"+sackChunk), "drop"}, // of no length
		{`-p sctp --sport 1 --chunk-types any SACK`, sctp4(t, ""), "no"},           // ports come first
		{`-p sctp ! --chunk-types any SACK`, sctp4(t, ""), "yes"},                  // counts, and is dropped behind
		{`-p sctp --chunk-types any DATA`, ip4(t, 132, 5, dataChunk), "no"},
		{`-p sctp ! --chunk-types any DATA`, ip4(t, 132, 5, dataChunk), "no"},
		{`-p sctp --chunk-types any DATA`, ip4(t, 132, 0, "1f90 0050"), "drop"},
	} {
		table, chain := ruleOf(t, c.rule, 4)
		ask := func(segments packet.Segments) string {
			tr := xt.NewTraversal(table.Schema)
			require.NoError(t, tr.Packet.DecodeSegments(segments, packet.LinkRaw))
			tr.Packet.Mark = 7
			return say(table.Run(tr, chain, nil))
		}
		require.Equal(t, c.want, ask(packet.Segments{c.packet}), c.rule)
		for _, n := range []int{1, 2, 3, 7, 29} {
			var pieces packet.Segments
			for rest := c.packet; len(rest) > 0; {
				k := min(n, len(rest))
				pieces, rest = append(pieces, rest[:k], nil), rest[k:]
			}
			require.Equal(t, c.want, ask(pieces), "%s, in pieces of %d bytes", c.rule, n)
		}
		require.Equal(t, "no", say(table.Run(udp6(t, table), chain, nil)), "packets of the other family do not enter")
	}
}

func udp6(t *testing.T, table *rules.Table) *xt.Traversal {
	tr := xt.NewTraversal(table.Schema)
	require.NoError(t, tr.Packet.Decode(ip6(t, 17, "1f90 0050 0008 0000"), packet.LinkRaw))
	return tr
}

func TestPayloadThatWasNotCapturedIsUnknownOnlyWhereItMatters(t *testing.T) {
	whole := udp4(t, "GET / and what follows")
	for _, c := range []struct{ rule, want string }{
		{`-m string --algo bm --string GET`, "yes"},
		{`-m string --algo bm --string follows`, "the packet's bytes"},
		{`-m string --algo bm ! --string follows`, "the packet's bytes"},
		{`-m string --algo bm --string follows --to 33`, "no"},
		{`-m string --algo bm --string follows --from 46`, "no"}, // no room for it
		{`-m u32 --u32 "28=0x47455420"`, "yes"},
		{`-m u32 --u32 "28=0"`, "no"},
		{`-m u32 --u32 "40=0"`, "the packet's bytes"},
		{`-m u32 ! --u32 "40=0"`, "the packet's bytes"},
		{`-m u32 --u32 "40=0&&28=0"`, "no"},
		{`-m u32 --u32 "400=0"`, "no"},
		{`-m bpf --bytecode "2,48 0 0 28,22 0 0 0"`, "yes"},
		{`-m bpf --bytecode "2,48 0 0 40,22 0 0 0"`, "the packet's bytes"},
		{`-m bpf --bytecode "2,48 0 0 400,22 0 0 0"`, "no"},
		{`-m bpf --bytecode "4,128 0 0 0,21 0 1 50,6 0 0 1,6 0 0 0"`, "yes"}, // the length is known
	} {
		table, chain := ruleOf(t, c.rule, 4)
		tr := xt.NewTraversal(table.Schema)
		require.NoError(t, tr.Packet.DecodeWire(whole[:34], len(whole), packet.LinkRaw))
		require.Equal(t, c.want, say(table.Run(tr, chain, nil)), c.rule)
		tr.Packet.Detach()
		require.Equal(t, "the packet's bytes", say(table.Run(tr, chain, nil)), "without bytes: %s", c.rule)
		require.Equal(t, "the packet's bytes", say(table.Evaluate(tr.Key(), chain, nil)), "a key only: %s", c.rule)
	}
}

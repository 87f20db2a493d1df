package hipac_test

// Packets of which only the beginning was captured: the answer is that for the
// whole packet, or that nobody knows.

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// whole4 and whole6 make packets of what stands behind their fixed headers.
func whole4(proto, offset byte, body string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
	return append([]byte{0x45, 0, 0, byte(20 + len(b)), 0, 1, 0, offset, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}, b...)
}

func whole6(next byte, body string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
	h := append([]byte{0x60, 0, 0, 0, 0, byte(len(b)), next, 64}, make([]byte, 32)...)
	binary.BigEndian.PutUint32(h[8:], 0x20010db8)
	binary.BigEndian.PutUint32(h[24:], 0x20010db8)
	return append(h, b...)
}

const (
	lostTCP = "1f90 0050 00000001 00000000 70 c2 ffff 0000 0000 020405b4 01030307"
	lostUDP = "1f90 0035 000c 0000 00000000"
)

var lostPackets = map[int][][]byte{
	4: {
		whole4(6, 0, lostTCP), whole4(6, 9, lostTCP), whole4(6, 0, "1f90 0050 00000001 00000000 f0 02 ffff 0000 0000"), whole4(6, 0, "1f90 0050 0000"),
		whole4(17, 0, lostUDP), whole4(17, 0, "1f90 0035"), whole4(1, 0, "0800 0000 0001 0001"), whole4(132, 0, "1f90 0050 00000001 00000000 00030008 00000000"), whole4(132, 0, "1f90 0050 00000001 00000000 00030000"),
		whole4(33, 0, "1f90 0050 05 00 0000 00 000001 00000000 05040000"), whole4(33, 0, "1f90 0050 09 00 0000 00 000001 00000000 05040000"),
		whole4(50, 0, "00000064 00000001"), whole4(51, 0, "06 02 0000 00000064 00000001 00000000"), whole4(108, 0, "06 00 0012 0000"),
	},
	6: {
		whole6(6, lostTCP), whole6(17, lostUDP), whole6(58, "8000 0000 0001 0001"), whole6(0, "06 00 0502 0000 0100"+lostTCP), whole6(60, "11 00 0502 0000 0100"+lostUDP),
		whole6(44, "06 00 0000 00000005"+lostTCP), whole6(44, "06 00 0019 00000005"+lostTCP), whole6(44, "2c 00 0019 00000005 06000000 00000005"+lostTCP),
		whole6(43, "06 02 04 00 00 00 0102 20010db800000000000000000000000a"+lostTCP), whole6(43, "06 02 00 01 00000000 20010db800000000000000000000000a"+lostTCP),
		whole6(51, "06 02 0000 00000064 00000001 00000000"+lostTCP), whole6(135, "3b 00 05 00 0000 0000"), whole6(0, "2b 09 0502 0000 0100"), whole6(59, ""),
	},
}

var lostRules = map[int][]string{
	0: {
		"-p tcp -m tcp --dport 80", "-p tcp -m tcp ! --dport 80", "-p tcp -m tcp --syn", "-p tcp -m tcp --tcp-option 2", "-p tcp -m tcp ! --tcp-option 4 --sport 8080", "-p udp -m udp --sport 8080", "-p udp -m multiport --dports 53,80",
		"-p tcp -m multiport ! --ports 1:7", "-p tcp -m tcpmss ! --mss 1460", "-p tcp -m tcpmss --mss 1400:1500 -m length --length 0:1", "-p tcp -m ecn --ecn-tcp-cwr", "-p tcp -m limit --limit 1/s -m tcp --dport 80", "-p tcp -m limit --limit 1/s -m tcpmss --mss 1460",
		"-p sctp -m sctp --dport 80 --chunk-types any DATA", "-p dccp -m dccp --dccp-types DATA", "-p dccp -m dccp ! --dccp-option 6", "-p dccp -m dccp --dccp-option 5", "-p esp -m esp --espspi 100", "-p ipcomp -m ipcomp --ipcompspi 18", "-p tcp", "! -p tcp", "-p 132", "-m length --length 40:50",
	},
	4: {"-p icmp -m icmp --icmp-type 8", "-p icmp -m icmp ! --icmp-type 3/1", "-p ah -m ah --ahspi 100", "-f", "! -f -p tcp -m tcp --sport 1:9000"},
	6: {
		"-p ipv6-icmp -m icmp6 --icmpv6-type 128", "-m ah --ahspi 100 ! --ahlen 20", "-m frag --fragid 5", "-m rt --rt-type 0 --rt-segsleft 1", "-m rt --rt-type 0 --rt-0-addrs 2001:db8::a", "-m hbh --hbh-len 8", "-m hbh --hbh-opts 5:2", "-m dst ! --dst-len 8", "-m ipv6header --header hop-by-hop --soft", "-m ipv6header --header frag,protocol",
		"-p mh -m mh --mh-type 5", "-m srh --srh-next-hdr 6", "-m srh --srh-lsid 2001:db8::/32", "-m srh ! --srh-tag 7",
	},
}

func TestAShortCaptureGivesTheAnswerOfTheWholePacketOrNone(t *testing.T) {
	for _, family := range []int{4, 6} {
		known, unknown, least := 0, 0, map[int]int{4: 20, 6: 40}[family]
		for _, rule := range append(append([]string{}, lostRules[0]...), lostRules[family]...) {
			for _, then := range []string{"-j DROP", "-g c", ""} {
				rs, err := iptables.Read(strings.NewReader(fmt.Sprintf("*raw\n:c -\n-A PREROUTING %s %s\n-A PREROUTING -j ACCEPT\n-A c -p tcp -j DROP\n-A c -j DROP\nCOMMIT\n", rule, then)), iptables.Options{Family: family})
				require.NoError(t, err, rule)
				table := rs.Tables[0]
				compiled, err := hipac.BuildTable(context.Background(), table, nil)
				require.NoError(t, err)
				for _, data := range lostPackets[family] {
					ask := func(n int) rules.Result {
						var results [2]rules.Result
						var executed [2][]rules.Place
						for i, run := range []func(rules.Subject, int, func(rules.Place)) rules.Result{table.Run, compiled.Run} {
							tr := xt.NewTraversal(table.Schema)
							tr.State = &xt.State{}
							require.NoError(t, tr.Packet.DecodeWire(data[:n], len(data), packet.LinkRaw))
							results[i] = run(tr, table.Find("PREROUTING"), func(p rules.Place) { executed[i] = append(executed[i], p) })
						}
						require.Equal(t, results[0], results[1], "%s on %d bytes of %x", rule, n, data)
						require.Equal(t, executed[0], executed[1], "%s on %d bytes of %x", rule, n, data)
						return results[0]
					}
					whole := ask(len(data))
					require.NotEqual(t, rules.Unknown, whole.Verdict, "%s on %x: %s", rule, data, whole.Needs)
					for n := least; n < len(data); n++ {
						got := ask(n)
						if got.Verdict == rules.Unknown {
							require.NotEmpty(t, got.Needs)
							unknown++
							continue
						}
						known++
						require.Equal(t, whole, got, "%s on %d bytes of %x", rule, n, data)
					}
				}
			}
		}
		t.Logf("IPv%d: %d known, %d unknown", family, known, unknown)
		require.Greater(t, known, unknown, "most rules ask for something else")
		require.Positive(t, unknown)
	}
}

func TestAHeaderBehindTheCaptureIsNotAnAbsentOne(t *testing.T) {
	data := lostPackets[4][0]
	for _, c := range []struct {
		rule string
		n    int
		want rules.Verdict
	}{
		{"-p tcp -m tcpmss ! --mss 1460 -j DROP", 40, rules.Unknown},
		{"-p tcp -m tcp --dport 80 -j DROP", 22, rules.Unknown},
		{"-p tcp -m tcp --dport 80 -j DROP", 24, rules.Drop},
		{"-p tcp -m tcp --dport 80 --syn -j DROP", 24, rules.Unknown},
		{"-p tcp -m tcp --dport 81 --syn -j DROP", 24, rules.Accept},
		{"-p udp -m udp --dport 80 -j DROP", 20, rules.Accept},
		{"-s 10.0.0.1 -p tcp -m tcp --dport 80 -j DROP", 20, rules.Accept},
		{"-p tcp -m tcp --dport 80", 20, rules.Accept}, // it only counts
	} {
		rs, err := iptables.Read(strings.NewReader("*raw\n-A PREROUTING "+c.rule+"\nCOMMIT\n"), iptables.Options{Family: 4})
		require.NoError(t, err)
		tr := xt.NewTraversal(rs.Tables[0].Schema)
		require.NoError(t, tr.Packet.DecodeWire(data[:c.n], len(data), packet.LinkRaw))
		got := rs.Tables[0].Run(tr, rs.Tables[0].Find("PREROUTING"), nil)
		require.Equal(t, c.want, got.Verdict, "%s on %d bytes", c.rule, c.n)
	}
}

package describe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The expected lines are those that Linux 6.18 logged of such packets.
func TestPacketsAreLoggedAsTheKernelDoes(t *testing.T) {
	for _, tt := range []struct{ packet, in, out, want string }{
		{"tcp 127.0.0.1:47676 > 127.0.0.1:80 df id=7394 seq=3821304995 window=65495 mac=00:00:00:00:00:01 dmac=00:00:00:00:00:02 options=mss:65495,sackok,8:1f2e670000000000,nop,wscale:10 mark=7", "lo", "",
			"IN=lo OUT= MAC=00:00:00:00:00:02:00:00:00:00:00:01:08:00 SRC=127.0.0.1 DST=127.0.0.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=7394 DF PROTO=TCP SPT=47676 DPT=80 " +
				"SEQ=3821304995 ACK=0 WINDOW=65495 RES=0x00 SYN URGP=0 OPT (0204FFD70402080A1F2E6700000000000103030A) MARK=0x7 "},
		{"tcp 127.0.0.1:80 > 127.0.0.1:47676 ACK,RST df ack=3821304996 window=0", "", "lo",
			"IN= OUT=lo SRC=127.0.0.1 DST=127.0.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=0 DF PROTO=TCP SPT=80 DPT=47676 SEQ=0 ACK=3821304996 WINDOW=0 RES=0x00 ACK RST URGP=0 "},
		{"udp 127.0.0.1:34286 > 127.0.0.1:5 df id=36691 payload=hi uid=0", "", "lo",
			"IN= OUT=lo SRC=127.0.0.1 DST=127.0.0.1 LEN=30 TOS=0x00 PREC=0x00 TTL=64 ID=36691 DF PROTO=UDP SPT=34286 DPT=5 LEN=10 UID=0 GID=0 "},
		{`icmp 127.0.0.1 > 127.0.0.1 type=3 code=3 tos=0xc0 id=6237 payload="E\x00\x00\x1e\x8f\x53\x40\x00\x40\x11\xad\x79\x7f\x00\x00\x01\x7f\x00\x00\x01\x85\xee\x00\x05\x00\x0a\xfe\x1dhi"`, "", "lo",
			"IN= OUT=lo SRC=127.0.0.1 DST=127.0.0.1 LEN=58 TOS=0x00 PREC=0xC0 TTL=64 ID=6237 PROTO=ICMP TYPE=3 CODE=3 " +
				"[SRC=127.0.0.1 DST=127.0.0.1 LEN=30 TOS=0x00 PREC=0x00 TTL=64 ID=36691 DF PROTO=UDP SPT=34286 DPT=5 LEN=10 ] "},
		{"udp [::1]:33557 > [::1]:5 payload=hi", "lo", "",
			"IN=lo OUT= MAC= SRC=0000:0000:0000:0000:0000:0000:0000:0001 DST=0000:0000:0000:0000:0000:0000:0000:0001 LEN=50 TC=0 HOPLIMIT=64 FLOWLBL=0 PROTO=UDP SPT=33557 DPT=5 LEN=10 "},
		{"udp 10.9.0.2:46893 > 10.9.0.1:5 length=1500 id=9166 mf", "v0", "",
			"IN=v0 OUT= MAC= SRC=10.9.0.2 DST=10.9.0.1 LEN=1500 TOS=0x00 PREC=0x00 TTL=64 ID=9166 MF PROTO=UDP SPT=46893 DPT=5 LEN=1480 "},
		{"udp 10.9.0.2 > 10.9.0.1 length=1500 id=9166 mf frag", "v0", "",
			"IN=v0 OUT= MAC= SRC=10.9.0.2 DST=10.9.0.1 LEN=1500 TOS=0x00 PREC=0x00 TTL=64 ID=9166 MF FRAG:185 PROTO=UDP "},
		{"icmp 10.9.0.2 > 10.9.0.1", "v0", "v1", "IN=v0 OUT=v1 MAC= SRC=10.9.0.2 DST=10.9.0.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=0 PROTO=ICMP TYPE=8 CODE=0 ID=0 SEQ=0 "},
		{"gre 10.9.0.2 > 10.9.0.1", "", "v0", "IN= OUT=v0 SRC=10.9.0.2 DST=10.9.0.1 LEN=24 TOS=0x00 PREC=0x00 TTL=64 ID=0 PROTO=47 "},
		{"esp 10.9.0.2 > 10.9.0.1 spi=0xabc", "", "v0", "IN= OUT=v0 SRC=10.9.0.2 DST=10.9.0.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=0 PROTO=ESP SPI=0xabc "},
	} {
		p, err := Parse(tt.packet)
		require.NoError(t, err)
		require.Equal(t, tt.want, string(AppendLog(nil, &p.Packet, tt.in, tt.out)))
	}
}

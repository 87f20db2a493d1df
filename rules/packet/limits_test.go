package packet

// Headers behind one another, up to as many as are followed; and what a packet has of
// which nothing is said.

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// headersInLine returns an IPv6 packet with n headers of destination options, and UDP behind.
func headersInLine(n int) []byte {
	b := make([]byte, 40+8*n+8)
	b[0], b[6], b[7] = 0x60, 60, 64
	binary.BigEndian.PutUint16(b[4:], uint16(8*n+8))
	for i := range n {
		h := b[40+8*i:]
		h[0], h[2], h[3] = 60, 1, 4 // PadN
	}
	b[40+8*(n-1)] = UDP
	binary.BigEndian.PutUint16(b[40+8*n+4:], 8)
	return b
}

func TestAsManyExtensionHeadersAreFollowedAsAreSaid(t *testing.T) {
	for n := 1; n < 2*MaxExtHeaders; n++ {
		var p Packet
		err := p.DecodeIP(headersInLine(n))
		if n > MaxExtHeaders {
			require.ErrorContains(t, err, "too many IPv6 extension headers", "%d headers", n)
			continue
		}
		require.NoError(t, err)
		set, s := p.extHeaderSet()
		require.Equal(t, Found, s, "%d headers", n)
		require.Equal(t, extBit(60)|ExtProt, set, "%d headers", n)
	}
}

func TestADCCPPacketOfWhichNothingIsSaidHasData(t *testing.T) {
	p := Packet{Family: 4, Proto: DCCP, Has: HasProto | HasPorts, SrcPort: 1, DstPort: 2}
	var q Packet
	require.NoError(t, q.DecodeIP(p.AppendIPWith(nil, nil)))
	typ, s := q.DCCPType()
	require.Equal(t, Found, s)
	require.EqualValues(t, 2, typ)
}

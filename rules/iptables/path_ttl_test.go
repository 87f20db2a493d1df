package iptables

// What a path does to packets between its stops.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

func TestForwardedPacketsHaveALowerTTLBehindPrerouting(t *testing.T) {
	for _, text := range []string{
		"*filter\n-A FORWARD -m ttl --ttl-eq 63 -j DROP\nCOMMIT\n",
		"*raw\n-A PREROUTING -m ttl ! --ttl-eq 64 -j DROP\nCOMMIT\n*mangle\n-A FORWARD -m ttl ! --ttl-eq 63 -j ACCEPT\nCOMMIT\n*filter\n-A FORWARD -m ttl --ttl-eq 63 -m u32 --u32 5&0xff=63 -j DROP\nCOMMIT\n",
	} {
		rs, err := Read(strings.NewReader(text), Options{})
		require.NoError(t, err)
		for way, want := range map[string]rules.Verdict{"forward": rules.Drop, "input": rules.Accept} {
			path, err := rs.Path(Hooks(way)...)
			require.NoError(t, err)
			var p packet.Packet
			require.NoError(t, p.DecodeIP((&packet.Packet{Family: 4, TTL: 64, Proto: 17, Length: 40}).AppendIP(nil)))
			tr := xt.NewTraversal(rs.Tables[0].Schema)
			tr.Start(&p)
			if len(path) > 0 {
				require.Equal(t, want, path.Run(tr, nil).Verdict, fmt.Sprint(way, text))
			}
			require.EqualValues(t, 64, p.TTL, "the caller's packet stays as it is")
		}
	}
}

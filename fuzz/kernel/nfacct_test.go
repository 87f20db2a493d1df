//go:build linux

package kernel

// Cases of match nfacct. The counters are made by a netlink message
// (linux/netfilter/nfnetlink_acct.h), so that no tool is needed.

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// makeCounters makes a named counter, and two with a quota: of 10 packets and
// of 1000 bytes.
func makeCounters(t *testing.T, _ *world) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 12) // NETLINK_NETFILTER
	require.NoError(t, err)
	defer syscall.Close(fd)
	attribute := func(kind uint16, value []byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
		b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
		return append(b, make([]byte, -len(b)&3)...)
	}
	for name, quota := range byName(map[string]struct {
		flags uint32
		limit uint64
	}{"plain": {}, "tenpackets": {1, 10}, "thousandbytes": {2, 1000}}) {
		body := join([]byte{0, 0, 0, 0}, attribute(1, append([]byte(name), 0)))
		if quota.flags != 0 {
			body = join(body, attribute(5, be32(quota.flags)), attribute(6, binary.BigEndian.AppendUint64(nil, quota.limit)))
		}
		const newCounter, request, ack, create = 7 << 8, 1, 4, 0x400
		m := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		m = binary.NativeEndian.AppendUint16(m, newCounter)
		m = binary.NativeEndian.AppendUint16(m, request|ack|create)
		m = append(m, make([]byte, 8)...)
		require.NoError(t, syscall.Sendto(fd, append(m, body...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
		answer := make([]byte, 4096)
		n, _, err := syscall.Recvfrom(fd, answer, 0)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, 20)
		require.Zero(t, int32(binary.NativeEndian.Uint32(answer[16:])), name)
	}
}

var _ = register(
	extension{kind: "match", name: "nfacct", setup: makeCounters, shots: talk, noPool: true, rules: []string{
		"-p tcp -m nfacct --nfacct-name plain", "-m nfacct --nfacct-name plain",
	}},
)

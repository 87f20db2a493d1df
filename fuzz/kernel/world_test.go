//go:build linux

package kernel

// The world of a test: a namespace, what it is told of routes, and what the
// kernel therefore knows of the packets that are written to its device.

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// world is a namespace for the packets of one family.
type world struct {
	family  int
	sets    *ipset.Sets // that rules ask
	marks   bool        // there is a socket with a mark
	in, out int         // descriptors of the devices; out is 0 without routes
}

func newWorld(t *testing.T, family int) *world {
	t.Helper()
	return newDeviceWorld(t, family, false)
}

// newDeviceWorld is newWorld with a TUN or a TAP device.
func newDeviceWorld(t *testing.T, family int, tap bool) *world {
	t.Helper()
	w := &world{family: family}
	w.in = enterNamespace(t, tap, w.tool()+"-restore", w.tool()+"-save")
	return w
}

func (w *world) tool() string {
	if w.family == 6 {
		return "ip6tables-legacy"
	}
	return "iptables-legacy"
}

// tunMeta is what the kernel knows of a packet that comes in by the device.
func (w *world) tunMeta(t *xt.Traversal, s *shot) {
	p := &t.Packet
	p.SetIn(device)
	if s.back {
		p.SetIn(device2)
	}
	p.SetOut("")
	p.Mark = 0
	p.PktType, p.Has = packet.Unicast, p.Has|packet.HasPktType
}

// forwardMeta is what the kernel knows of a packet that it forwards.
func (w *world) forwardMeta(t *xt.Traversal, s *shot) {
	w.tunMeta(t, s)
	t.Packet.SetOut(device2)
	if s.back {
		t.Packet.SetOut(device)
	}
	t.Packet.Env = &packet.Env{Has: packet.HasPathMTU, PathMTU: 1500}
}

// sendLocal sends a packet by a raw socket.
func (w *world) sendLocal(t *testing.T, s *shot) {
	t.Helper()
	domain := syscall.AF_INET
	var to syscall.Sockaddr = &syscall.SockaddrInet4{Addr: [4]byte(s.raw[16:20])}
	if w.family == 6 {
		domain, to = syscall.AF_INET6, &syscall.SockaddrInet6{Addr: [16]byte(s.raw[24:40])}
	}
	fd, err := syscall.Socket(domain, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_RAW)
	require.NoError(t, err)
	defer syscall.Close(fd)
	require.NoError(t, syscall.Sendto(fd, s.raw, 0, to))
}

// captured returns the packets that went out by the second device and are
// neither the namespace's own nor answers to the shot.
func (w *world) captured(s *shot) (list [][]byte) {
	var sent packet.Packet
	known := sent.DecodeIP(s.raw) == nil
	buf := make([]byte, 1<<16)
	for {
		n, err := syscall.Read(w.out, buf)
		if n <= 0 || err != nil {
			return list
		}
		var p packet.Packet
		if p.DecodeIP(buf[:n]) != nil {
			continue
		}
		src := p.SrcAddr()
		if known && p.DstAddr() == sent.SrcAddr() {
			continue
		}
		if (own4.Contains(src) || own6.Contains(src)) && (p.Proto == packet.ICMP || p.Proto == packet.ICMPv6) && p.ICMPType != 8 && p.ICMPType != 128 || src.Is6() && (src.IsUnspecified() && p.Proto != packet.UDP || src.IsLinkLocalUnicast() && p.Proto == packet.ICMPv6) {
			continue
		}
		list = append(list, bytes.Clone(buf[:n]))
	}
}

// The addresses of the devices.
var (
	own4 = netip.MustParsePrefix("10.9.0.0/16")
	own6 = netip.MustParsePrefix("2001:db8:900::/47")
)

// forwarded returns the packet with a TTL that is less by one.
func forwarded(b []byte) []byte {
	b = bytes.Clone(b)
	if b[0]>>4 == 6 {
		b[7]--
		return b
	}
	b[8]--
	sum := uint32(binary.BigEndian.Uint16(b[10:])) + 0x100
	binary.BigEndian.PutUint16(b[10:], uint16(sum+sum>>16))
	return b
}

// sysctl writes a setting of the namespace's.
func sysctl(t *testing.T, name, value string) {
	t.Helper()
	require.NoError(t, os.WriteFile("/proc/sys/"+name, []byte(value), 0))
}

// pinToCPU keeps the test's thread on one CPU.
func pinToCPU(t *testing.T, cpu int) {
	t.Helper()
	var mask [16]uint64
	mask[cpu/64] = 1 << (cpu % 64)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	require.Zero(t, errno)
}

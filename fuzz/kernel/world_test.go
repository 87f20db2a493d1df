//go:build linux

package kernel

// The world of a test: a namespace, what it is told of routes, and what the
// kernel therefore knows of the packets that are written to its device.

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// world is a namespace for the packets of one family.
type world struct {
	family  int
	in, out int // descriptors of the devices; out is 0 without routes
}

func newWorld(t *testing.T, family int) *world {
	t.Helper()
	w := &world{family: family}
	w.in = enterNamespace(t, w.tool()+"-restore", w.tool()+"-save")
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

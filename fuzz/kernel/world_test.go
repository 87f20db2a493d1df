//go:build linux

package kernel

// The world of a test: a namespace, what it is told of routes, and what the
// kernel therefore knows of the packets that are written to its device.

import (
	"os"
	"testing"

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
func (w *world) tunMeta(t *xt.Traversal, _ *shot) {
	p := &t.Packet
	p.SetIn(device)
	p.SetOut("")
	p.Mark = 0
	p.PktType, p.Has = packet.Unicast, p.Has|packet.HasPktType
}

// sysctl writes a setting of the namespace's.
func sysctl(t *testing.T, name, value string) {
	t.Helper()
	require.NoError(t, os.WriteFile("/proc/sys/"+name, []byte(value), 0))
}

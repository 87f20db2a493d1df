//go:build linux

package kernel

// Cases of matches on what the system knows of packets.

import (
	"testing"

	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// with adds to what the kernel knows of a packet that comes in by the device.
func with(f func(p *packet.Packet)) func(w *world) func(*xt.Traversal, *shot) {
	return func(w *world) func(*xt.Traversal, *shot) {
		return func(t *xt.Traversal, s *shot) {
			w.tunMeta(t, s)
			f(&t.Packet)
		}
	}
}

var _ = register(
	extension{kind: "match", name: "cpu", rules: []string{"-m cpu --cpu 0", "-m cpu ! --cpu 0", "-m cpu --cpu 1", "-m cpu ! --cpu 4095"},
		setup: func(t *testing.T, _ *world) { pinToCPU(t, 0) },
		meta:  with(func(p *packet.Packet) { p.Env = &packet.Env{Has: packet.HasCPU} })},
	extension{kind: "match", name: "devgroup", rules: []string{"-m devgroup --src-group 7", "-m devgroup ! --src-group 7", "-m devgroup --src-group 0x7/0x3", "-m devgroup --src-group 0x3/0x3", "-m devgroup --src-group 0x0", "-m devgroup ! --src-group 0x10/0x10"},
		setup: func(t *testing.T, _ *world) { run(t, "", "ip", "link", "set", device, "group", "7") },
		meta:  with(func(p *packet.Packet) { p.Env = &packet.Env{Has: packet.HasInGroup, InGroup: 7} })},
	extension{kind: "match", name: "policy", rules: []string{"-m policy --dir in --pol none", "-m policy --dir in --pol ipsec", "-m policy --dir in --pol ipsec --reqid 1", "-m policy --dir in --pol ipsec --strict --proto esp --mode tunnel --tunnel-dst 10.0.0.0/8"}[:3],
		meta: with(func(p *packet.Packet) { p.Env = &packet.Env{Policy: &packet.Policy{}} })},
	extension{kind: "match", name: "physdev", rules: []string{"-m physdev --physdev-in eth0", "-m physdev ! --physdev-in eth0", "-m physdev --physdev-is-in", "-m physdev ! --physdev-is-in", "-m physdev ! --physdev-is-bridged"},
		meta: with(func(p *packet.Packet) { p.Env = &packet.Env{Bridge: &packet.Bridge{}} })},
)

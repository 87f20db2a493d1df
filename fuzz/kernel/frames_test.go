//go:build linux

package kernel

// Cases that need an Ethernet header: the device is a TAP device, and frames
// are written to it.

import (
	"fmt"
	"testing"

	"github.com/hipac-go/classifier/rules/xt"
)

// ownMAC is the address of the TAP device.
var ownMAC = []byte{2, 0, 0, 0, 0, 1}

// frames are packets from some Ethernet addresses, to the device's own, to
// all, and to a group.
func frames(family int) (list []shot) {
	src := []string{"10.0.0.1", "10.0.0.2"}
	if family == 6 {
		src = []string{"2001:db8::ff:fe00:1", "2001:db8::200:ff:fe00:7", "2001:db8::1", "fe80::211:22ff:fe33:4455"}
	}
	for _, to := range [][]byte{ownMAC, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {1, 0, 0x5e, 0, 0, 9}, {0x33, 0x33, 0, 0, 0, 1}} {
		for _, from := range [][]byte{{0, 0x11, 0x22, 0x33, 0x44, 0x55}, {2, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 7}, {0, 0x11, 0x22, 0x33, 0x44, 0x56}} {
			for _, a := range src {
				kind := be16(0x0800)
				if family == 6 {
					kind = be16(0x86dd)
				}
				list = append(list, shot{name: fmt.Sprintf("from %x", from), frame: join(to, from, kind), raw: head{src: a, proto: 17}.ip(family, udp(7, 9, 0))})
			}
		}
	}
	if family == 6 { // the interface identifiers that belong to the addresses
		for _, a := range []string{"2001:db8::211:22ff:fe33:4455", "2001:db8::ff:fe00:1", "2001:db8::200:ff:fe00:7", "2001:db8::211:22ff:fe33:4456"} {
			for _, from := range [][]byte{{0, 0x11, 0x22, 0x33, 0x44, 0x55}, {2, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 7}} {
				list = append(list, shot{name: "eui64", frame: join(ownMAC, from, be16(0x86dd)), raw: head{src: a, proto: 17}.ip(6, udp(7, 9, 0))})
			}
		}
	}
	return list
}

// asDecoded is the meta of packets that the Ethernet header says enough of.
func asDecoded(*world) func(*xt.Traversal, *shot) {
	return func(t *xt.Traversal, _ *shot) {
		t.Packet.SetIn(device)
		t.Packet.SetOut("")
	}
}

func setMAC(t *testing.T, _ *world) {
	run(t, "", "ip", "link", "set", device, "address", "02:00:00:00:00:01")
}

var _ = register(
	extension{kind: "match", name: "mac", tap: true, setup: setMAC, shots: frames, noPool: true, meta: asDecoded, rules: []string{
		"-m mac --mac-source 00:11:22:33:44:55", "-m mac ! --mac-source 00:11:22:33:44:55", "-m mac --mac-source 02:00:00:00:00:01", "-m mac ! --mac-source 00:00:00:00:00:07",
	}},
	extension{kind: "match", name: "pkttype of frames", tap: true, setup: setMAC, shots: frames, noPool: true, meta: asDecoded, rules: []string{
		"-m pkttype --pkt-type unicast", "-m pkttype ! --pkt-type unicast", "-m pkttype --pkt-type broadcast", "-m pkttype ! --pkt-type broadcast", "-m pkttype --pkt-type multicast", "-m pkttype ! --pkt-type multicast",
	}},
	extension{kind: "match", name: "eui64 of frames", family: 6, tap: true, setup: setMAC, shots: frames, noPool: true, meta: asDecoded, rules: []string{"-m eui64", "-p udp -m eui64"}},
)

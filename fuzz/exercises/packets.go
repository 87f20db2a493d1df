package exercises

// The bytes of packets through the decoder, held to a slow one: packets of connections
// and of keys, and with chains of headers, whole, cut, and damaged.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/bench/connections"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/decode"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

func packetPoints() []string {
	return []string{"packet: refused", "packet: IPv4", "packet: IPv6", "packet: later fragment", "packet: cut", "packet: lost fields", "packet: short header",
		"packet: extension headers", "packet: VLAN"}
}

func packets() []*drive.Exercise {
	return []*drive.Exercise{
		{Name: "packets of connections", Group: "packets", Points: packetPoints(), Weight: 2, Run: func(ctx context.Context, t *drive.Trial) error {
			ready := connections.Ready()
			p := ready[t.Rand.IntN(len(ready))]
			p.Loss, p.Fragments = 0.05, 0.3
			g, err := connections.New(connections.Config{Profiles: []connections.Weighted{{Profile: p, Weight: 1}}, Count: 3, IPv6: t.Rand.IntN(2) == 0, Seed: t.Seed})
			if err != nil {
				return err
			}
			for n := 0; n < 60 && ctx.Err() == nil; n++ {
				p, ok := g.Next()
				if !ok {
					break
				}
				if err := checkPacket(t, p.Data, packet.LinkRaw); err != nil {
					return err
				}
			}
			return ctx.Err()
		}},
		{Name: "packets of keys", Group: "packets", Weight: 2, Run: func(ctx context.Context, t *drive.Trial) error {
			s := []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall}[t.Rand.IntN(4)]
			l, err := randomList(t, &schema{"", s, 4}, 20)
			if err != nil {
				return err
			}
			ks, err := workload.Packets(l, workload.PacketConfig{N: 60, Seed: t.Rand.Uint64(), Real: t.Rand.IntN(2) == 0})
			if err != nil {
				return err
			}
			for i := range ks.Len() {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := checkPacket(t, workload.AppendFrame(nil, workload.PacketOf(s, ks.At(i), 0)), packet.LinkEthernet); err != nil {
					return err
				}
			}
			return nil
		}},
		{Name: "packets with chains of headers", Group: "packets", Weight: 2, Run: func(ctx context.Context, t *drive.Trial) error {
			for range 60 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := checkPacket(t, decode.Draw(t.Rand), packet.LinkRaw); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// links are the ways in which captures begin.
var links = []packet.LinkType{packet.LinkNull, packet.LinkEthernet, packet.LinkRaw, packet.LinkSLL, packet.LinkIPv4, packet.LinkIPv6, packet.LinkSLL2}

// checkPacket decodes a packet, and some that are made of it by damage.
func checkPacket(t *drive.Trial, data []byte, link packet.LinkType) error {
	r := t.Rand
	for n := range 8 {
		b, wire, l := append([]byte(nil), data...), len(data), link
		if n > 0 {
			head := min(len(b), 90)
			for range r.IntN(4) {
				at := r.IntN(head)
				switch r.IntN(3) {
				case 0:
					b[at] = []byte{0, 1, 4, 6, 17, 43, 44, 51, 58, 60, 132, 255}[r.IntN(12)]
				case 1:
					b[at] ^= 1 << r.IntN(8)
				case 2:
					b[at] = byte(r.IntN(256))
				}
			}
			if r.IntN(3) == 0 {
				b = b[:r.IntN(len(b)+1)]
			}
			switch r.IntN(6) {
			case 0:
				wire = len(b)
			case 1:
				wire = len(b) + r.IntN(2000)
			}
			wire = max(wire, len(b))
			if r.IntN(12) == 0 {
				l = links[r.IntN(len(links))]
			}
		}
		d, err := cases.CheckBytes(b, wire, l)
		t.Counts.Packets++
		t.Counts.Answers++
		if err != nil {
			return &drive.Failure{Err: fmt.Errorf("decoder: %w", err), Case: &cases.Bytes{Data: b, Wire: wire, Link: l}}
		}
		t.ReachIf(d.Refused, "packet: refused")
		t.ReachIf(d.Family == 4, "packet: IPv4")
		t.ReachIf(d.Family == 6, "packet: IPv6")
		t.ReachIf(d.Fragment, "packet: later fragment")
		t.ReachIf(d.Cut, "packet: cut")
		t.ReachIf(d.Lost, "packet: lost fields")
		t.ReachIf(d.Short, "packet: short header")
		t.ReachIf(d.Ext, "packet: extension headers")
		t.ReachIf(d.VLAN, "packet: VLAN")
	}
	return nil
}

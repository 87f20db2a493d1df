package xt

// Targets that change TCP options: TCPMSS and TCPOPTSTRIP.

import (
	"encoding/binary"
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// tcpHeader returns where the TCP header begins in b, the packet's bytes, and
// its length with options. The outcome is Yes when there is one, No for later
// fragments, DropNow for cut headers, Unsure when the bytes are not known.
func (t *Traversal) tcpHeader() (b []byte, off, n int, o rules.Outcome, needs string) {
	p := &t.Packet
	if p.FragOffset != 0 {
		return nil, 0, 0, rules.No, ""
	}
	off, ok := p.Header(packet.TCP)
	if !ok {
		return nil, 0, 0, rules.Unsure, needsPacket
	}
	have := p.Captured() - off
	if have < 20 {
		if p.Notes&packet.Cut != 0 {
			return nil, 0, 0, rules.Unsure, needsPacket
		}
		return nil, 0, 0, rules.DropNow, ""
	}
	b = t.bytes()
	if n = int(b[off+12]>>4) * 4; n < 20 {
		return nil, 0, 0, rules.DropNow, ""
	} else if have < n {
		if p.Notes&packet.Cut != 0 {
			return nil, 0, 0, rules.Unsure, needsPacket
		}
		return nil, 0, 0, rules.DropNow, ""
	}
	return b, off, n, rules.Yes, ""
}

// optionLen returns the length of the TCP option at offset i.
func optionLen(b []byte, i int) int {
	if b[i] <= 1 || i+1 >= len(b) || b[i+1] == 0 {
		return 1
	}
	return int(b[i+1])
}

// TCPMSS is the target TCPMSS: it lowers the MSS option of a TCP header, or
// adds one where there is none and no payload either.
type TCPMSS struct {
	Clamp bool // to what the path's MTU, Env.PathMTU, leaves room for
	MSS   uint16
}

// Apply sets the option. Packets with a broken TCP header are dropped.
func (m *TCPMSS) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, b, off, n, outcome, needs := beginTCP(s, at, "TCPMSS", unsure)
	if t == nil {
		return outcome, needs
	}
	mss, headers, usual := m.MSS, uint32(40), uint16(536)
	if t.Packet.Family == 6 {
		headers, usual = 60, 1220
	}
	if m.Clamp {
		e := t.Packet.Env
		if e == nil || e.Has&packet.HasPathMTU == 0 {
			return rules.Unsure, "the path's MTU"
		}
		if e.PathMTU <= headers {
			return rules.DropNow, ""
		}
		mss = uint16(min(e.PathMTU-headers, 0xffff))
	}
	for i := off + 20; i <= off+n-4; i += optionLen(b, i) {
		if b[i] != 2 || b[i+1] != 4 {
			continue
		}
		old := binary.BigEndian.Uint16(b[i+2:])
		mss = min(mss, old)
		t.change(at, "TCPMSS", "mss", uint64(old), uint64(mss))
		if mss < old {
			t.setTCPByte(b, off, i+2, byte(mss>>8))
			t.setTCPByte(b, off, i+3, byte(mss))
			t.Changed()
		}
		return rules.Yes, ""
	}
	if t.Packet.Captured()-off > n || n >= 60 || t.Packet.Notes&packet.Cut != 0 {
		t.Record(at, "TCPMSS", "", "no room for an MSS option", "")
		return rules.Yes, ""
	}
	t.insertMSS(off, n, min(mss, usual))
	t.Record(at, "TCPMSS", "mss", fmt.Sprintf("mss option %d added", min(mss, usual)), "")
	t.Changed()
	return rules.Yes, ""
}

// insertMSS puts an MSS option in front of the others.
func (t *Traversal) insertMSS(off, n int, mss uint16) {
	t.buf = append(t.buf, 0, 0, 0, 0)
	b := t.buf
	copy(b[off+24:], b[off+20:len(b)-4])
	copy(b[off+20:], []byte{2, 4, byte(mss >> 8), byte(mss)})
	b[off+12] += 0x10
	p := &t.Packet
	if p.Length += 4; p.Family == 4 {
		old := binary.BigEndian.Uint16(b[2:])
		binary.BigEndian.PutUint16(b[2:], old+4)
		fixChecksum(b, 10, old, old+4)
	} else {
		binary.BigEndian.PutUint16(b[4:], binary.BigEndian.Uint16(b[4:])+4)
	}
	p.Replace(b)
	// The sum over the whole segment again: options have moved.
	binary.BigEndian.PutUint16(b[off+16:], 0)
	binary.BigEndian.PutUint16(b[off+16:], transportChecksum(b, off, p.Family))
}

// transportChecksum returns the checksum of the TCP segment at offset off of an
// IP packet.
func transportChecksum(b []byte, off int, family uint8) uint16 {
	sum := uint64(packet.TCP) + uint64(len(b)-off)
	from, to := 12, 20
	if family == 6 {
		from, to = 8, 40
	}
	add := func(b []byte) {
		for ; len(b) > 1; b = b[2:] {
			sum += uint64(binary.BigEndian.Uint16(b))
		}
		if len(b) == 1 {
			sum += uint64(b[0]) << 8
		}
	}
	add(b[from:to])
	add(b[off:])
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// setTCPByte changes a byte of the TCP header at off, with the checksum.
func (t *Traversal) setTCPByte(b []byte, off, i int, value byte) {
	word := i - (i-off)&1
	if word+1 >= len(b) {
		b[i] = value
		return
	}
	old := binary.BigEndian.Uint16(b[word:])
	b[i] = value
	fixChecksum(b, off+16, old, binary.BigEndian.Uint16(b[word:]))
}

// beginTCP is begin for a target that changes the TCP header, which it returns
// as tcpHeader does. Without a Traversal the target ends with the outcome.
func beginTCP(s rules.Subject, at rules.Place, name, unsure string) (t *Traversal, b []byte, off, n int, outcome rules.Outcome, needs string) {
	if t, outcome, needs = begin(s, at, name, unsure); t == nil {
		return nil, nil, 0, 0, outcome, needs
	}
	switch b, off, n, outcome, needs = t.tcpHeader(); outcome {
	case rules.No:
		t.Record(at, name, "", "a later fragment has no TCP header", "")
		return nil, nil, 0, 0, rules.Yes, ""
	case rules.DropNow, rules.Unsure:
		return nil, nil, 0, 0, outcome, needs
	}
	return t, b, off, n, outcome, needs
}

// TCPOptStrip is the target TCPOPTSTRIP: it overwrites TCP options with
// padding.
type TCPOptStrip struct{ Kinds packet.OptionSet }

// Apply strips the options. Packets with a broken TCP header are dropped.
func (o *TCPOptStrip) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, b, off, n, outcome, needs := beginTCP(s, at, "TCPOPTSTRIP", unsure)
	if t == nil {
		return outcome, needs
	}
	detail := ""
	for i, size := off+20, 0; i < off+n-1; i += size {
		if size = optionLen(b, i); i+size > off+n {
			break
		}
		if !o.Kinds.Has(b[i]) {
			continue
		}
		if detail += ","; detail == "," {
			detail = "options stripped: "
		}
		detail += fmt.Sprint(b[i])
		for j := i; j < i+size; j++ {
			t.setTCPByte(b, off, j, 1)
		}
	}
	if detail == "" {
		t.Record(at, "TCPOPTSTRIP", "", "no such option", "")
		return rules.Yes, ""
	}
	t.Record(at, "TCPOPTSTRIP", "tcpopts0", detail, "")
	t.Changed()
	return rules.Yes, ""
}

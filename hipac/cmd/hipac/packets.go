package main

// Packets: reading a file of them in chunks, one ahead of what is being
// classified. Package rules/files knows the formats.

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// entry is one packet of a chunk.
type entry struct {
	info   capture.Info
	err    *capture.PacketError // the packet cannot be decoded
	packet packet.Packet        // for tables; of a capture, also when details were asked for

	// What became of the packet in tables.
	needs   string
	effects []xt.Effect
	note    note // of a capture
	text    bool // made of a row of text: its key says what the row has
}

// chunk is a run of packets and what became of them.
type chunk struct {
	keys     []uint32 // back to back
	entries  []entry
	outcomes []outcome
	bytes    []byte // of packets for tables

	form *form     // of the keys; nil: that of the only program
	prog *compiled // that has decided
}

// maxBytes is how many bytes of packets a chunk may hold before it is passed
// on, whatever the number of packets.
const maxBytes = 8 << 20

// keep returns a copy of a packet whose bytes belong to the chunk.
func (c *chunk) keep(p *packet.Packet) packet.Packet {
	kept := *p
	n := p.Captured()
	if n == 0 {
		kept.Detach()
		return kept
	}
	if cap(c.bytes)-len(c.bytes) < n {
		c.bytes = make([]byte, 0, max(n, 256<<10))
	}
	at := len(c.bytes)
	kept.Rewrite(c.bytes[at : at : at+n])
	c.bytes = c.bytes[:at+n]
	return kept
}

// packetReader reads the packets of a file in chunks.
type packetReader struct {
	*files.Packets
	schema   *rules.Schema
	versions *versions // nil: there is one
	form     *form     // of schema
	details  int       // of how many packets to keep entry.packet

	size   int64 // of the file; -1 when unknown
	close  func()
	number int // packets read
}

// openPackets opens the file that the flags name for keys of the schema. It
// reads its beginning.
func (a *app) openPackets(f *files.PacketFlags, s *rules.Schema) (*packetReader, error) {
	r, name, closeFile, err := files.Open(f.Packets, a.stdin)
	if err != nil {
		return nil, err
	}
	p, err := within(a.ctx, func() (*packetReader, error) { return newPacketReader(r, name, f, s) })
	if err != nil {
		closeFile()
		return nil, err
	}
	p.close = closeFile
	if file, ok := r.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			p.size = info.Size()
		}
	}
	return p, nil
}

func newPacketReader(r io.Reader, name string, f *files.PacketFlags, s *rules.Schema) (*packetReader, error) {
	in, err := files.NewPackets(r, name, f, s)
	if err != nil {
		return nil, err
	}
	return &packetReader{Packets: in, schema: s, size: -1, close: func() {}}, nil
}

// read sends the packets in chunks of up to size to out, and closes it; recycled
// chunks come from free. It returns the error that ended the reading, nil at
// the end of the file, and stops when the context ends.
func (p *packetReader) read(ctx context.Context, size int, free <-chan *chunk, out chan<- *chunk) error {
	defer close(out)
	var c *chunk
	take := func() bool {
		select {
		case c = <-free:
			c.keys, c.entries, c.bytes, c.form = c.keys[:0], c.entries[:0], c.bytes[:0], p.form
			return true
		case <-ctx.Done():
			return false
		}
	}
	send := func() bool {
		select {
		case out <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if !take() {
		return nil
	}
	alive := true
	if p.size < 0 {
		// Before the next wait for input, what is there is passed on.
		p.BeforeRead(func() {
			if alive && len(c.entries) > 0 {
				alive = send() && take()
			}
		})
	}
	key := p.schema.NewKey()
	bytes := 0
	for alive {
		info, err := p.Next(key)
		if !alive {
			return nil
		}
		var damaged *capture.PacketError
		if err != nil && !errors.As(err, &damaged) {
			if len(c.entries) > 0 && !send() || err == io.EOF {
				return nil
			}
			return err
		}
		if p.versions != nil {
			if f := p.versions.newest.Load(); f != p.form {
				// The rules have other fields now: the packet gets another key.
				p.schema, p.form = f.schema, f
				if len(c.entries) > 0 {
					if alive = send() && take(); !alive {
						return nil
					}
					bytes = 0
				}
				c.form = f
				key = p.schema.NewKey()
				info = p.Rebind(f.binding, key, info, err)
			}
		}
		p.number++
		c.entries = append(c.entries, entry{info: info, err: damaged})
		c.keys = append(c.keys, key...)
		if whole := p.Packet(); whole != nil && damaged == nil {
			e := &c.entries[len(c.entries)-1]
			bytes += whole.Captured()
			e.packet = c.keep(whole)
			e.text = p.Capture() == nil
			if !e.text {
				e.note = noteOf(whole)
			}
		} else if src := p.Capture(); src != nil && damaged == nil {
			e := &c.entries[len(c.entries)-1]
			e.note = noteOf(src.Packet())
			if p.details < 0 || p.number <= p.details {
				e.packet = *src.Packet()
			}
		}
		if len(c.entries) == size || bytes > maxBytes {
			alive, bytes = send() && take(), 0
		}
	}
	return nil
}

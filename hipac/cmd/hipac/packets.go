package main

// Packets: opening a file of any format, and reading it in chunks, one ahead
// of what is being classified.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/packet"
)

// packetFlags are the flags about packets.
type packetFlags struct {
	Packets          string `placeholder:"FILE" help:"Packets; - for standard input."`
	PacketsFormat    string `enum:"auto,classbench,pcap,pcapng,csv" default:"auto" placeholder:"FORMAT" help:"Format of the packets: auto (by content, the default), classbench, pcap, pcapng, csv."`
	InInterface      string `placeholder:"NAME" help:"The interface that packets came in by, where the file does not say."`
	OutInterface     string `placeholder:"NAME" help:"The interface that packets leave by, where the file does not say."`
	Ctstate          string `placeholder:"STATE" help:"The connection state of all packets, such as NEW, where the file does not say."`
	CaptureInterface string `enum:"none,in,out,direction" default:"none" placeholder:"ROLE" help:"What the interface names in a pcapng file are to the packets: none (the default), in, out, direction (where the file tells it for the packet)."`
}

// entry is one packet of a chunk.
type entry struct {
	info   capture.Info
	err    *capture.PacketError // the packet cannot be decoded
	packet packet.Packet        // of a capture, when details were asked for
	note   note                 // of a capture
}

// chunk is a run of packets and what became of them.
type chunk struct {
	keys     []uint32 // back to back
	entries  []entry
	outcomes []outcome
}

// packetReader reads the packets of a file.
type packetReader struct {
	format   string
	next     func(rules.Key) (capture.Info, error)
	packet   func() *packet.Packet // nil when there is none
	schema   *rules.Schema
	name     string
	defaults []fieldValue
	details  int // of how many packets to keep entry.packet

	size   int64 // of the file; -1 when unknown
	at     *counted
	close  func()
	flush  func() // called before a read that may wait
	number int    // packets read
}

// fieldValue is a value for packets without the field.
type fieldValue struct {
	field int
	value rules.Value
}

// counted counts bytes and calls before ahead of each read.
type counted struct {
	r      io.Reader
	n      atomic.Int64
	before func()
}

func (c *counted) Read(p []byte) (int, error) {
	if c.before != nil {
		c.before()
	}
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// openPackets opens the file that the flags name for keys of the schema. It
// reads its beginning.
func (a *app) openPackets(f *packetFlags, s *rules.Schema) (*packetReader, error) {
	r, name, closeFile, err := a.open(f.Packets)
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

func newPacketReader(r io.Reader, name string, f *packetFlags, s *rules.Schema) (*packetReader, error) {
	p := &packetReader{schema: s, size: -1, close: func() {}, at: &counted{r: r}, name: name}
	if err := p.setDefaults(f); err != nil {
		return nil, err
	}
	p.at.before = func() {
		if p.flush != nil {
			p.flush()
		}
	}
	in := bufio.NewReaderSize(p.at, 64<<10)
	format, err := sniffPackets(in, f.PacketsFormat)
	if err != nil {
		return nil, readError(name, err)
	}
	p.format = format.String()
	if format == capture.ClassBench {
		t := classbench.NewTraceReader(in, classbench.Options{File: name, Schema: s})
		p.next = func(k rules.Key) (capture.Info, error) {
			_, err := t.Next(k)
			return capture.Info{Number: p.number + 1, Line: t.Line()}, err
		}
		return p, nil
	}
	roles := map[string]capture.Role{"none": capture.NoInterfaces, "in": capture.AsInput, "out": capture.AsOutput, "direction": capture.ByDirection}
	src, err := capture.NewSourceAs(format, in, s, capture.Options{File: name, Interface: roles[f.CaptureInterface]})
	if err != nil {
		return nil, readError(name, err)
	}
	p.next = src.Next
	if c, ok := src.(*capture.Packets); ok {
		p.packet = c.Packet
	}
	return p, nil
}

// sniffPackets returns the format of the input: the one that was asked for,
// or the one that its beginning shows. It takes nothing from in. Which of two
// text formats it is, is for the user to say; a capture is what it is.
func sniffPackets(in *bufio.Reader, asked string) (capture.Format, error) {
	format := capture.Unknown
	for _, f := range []capture.Format{capture.Pcap, capture.Pcapng, capture.CSVFlows, capture.ClassBench} {
		if f.String() == asked {
			format = f
		}
	}
	binary := func(f capture.Format) bool { return f == capture.Pcap || f == capture.Pcapng }
	// The four bytes that tell captures come first, so that a live capture does
	// not have to fill a buffer before it is known.
	magic, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return capture.Unknown, err
	}
	f, err := capture.Sniff(bufio.NewReader(bytes.NewReader(magic)))
	isCapture := err == nil && binary(f)
	switch {
	case isCapture && (format == capture.Unknown || format == f):
		return f, nil
	case !isCapture && (format == capture.CSVFlows || format == capture.ClassBench):
		return format, nil
	}
	if f, err = capture.Sniff(in); format != capture.Unknown {
		if err != nil {
			return f, fmt.Errorf("--packets-format %s: %w", format, err)
		}
		return f, fmt.Errorf("--packets-format %s: the packets are %s", format, formatTitles[f])
	}
	if err != nil {
		return f, fmt.Errorf("cannot tell the format of the packets: %w; --packets-format says which it is", err)
	}
	return f, nil
}

// formatTitles says what a file of a format is.
var formatTitles = map[capture.Format]string{
	capture.Pcap: "a pcap capture", capture.Pcapng: "a pcapng capture",
	capture.CSVFlows: "text, by its looks CSV", capture.ClassBench: "text, by its looks a ClassBench trace",
}

// setDefaults reads the values that flags give to packets without them.
func (p *packetReader) setDefaults(f *packetFlags) error {
	for _, d := range []struct{ flag, field, text string }{
		{"in-interface", "iif", f.InInterface}, {"out-interface", "oif", f.OutInterface}, {"ctstate", "ctstate", f.Ctstate},
	} {
		if d.text == "" {
			continue
		}
		i := p.schema.Index(d.field)
		if i < 0 {
			return badUsage("--%s: the rules have no field %s", d.flag, d.field)
		}
		v, err := p.schema.Field(i).ParseValue(d.text)
		if err != nil {
			return badUsage("--%s: %v", d.flag, err)
		}
		p.defaults = append(p.defaults, fieldValue{i, v})
	}
	return nil
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
			c.keys, c.entries = c.keys[:0], c.entries[:0]
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
		p.flush = func() {
			if alive && len(c.entries) > 0 {
				alive = send() && take()
			}
		}
	}
	key := p.schema.NewKey()
	for alive {
		info, err := p.next(key)
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
		p.number++
		c.entries = append(c.entries, entry{info: info, err: damaged})
		if damaged == nil {
			for _, d := range p.defaults {
				if key[0]>>d.field&1 != 0 {
					p.schema.Set(key, d.field, d.value)
				}
			}
		}
		c.keys = append(c.keys, key...)
		if p.packet != nil && damaged == nil {
			e := &c.entries[len(c.entries)-1]
			e.note = noteOf(p.packet())
			if p.details < 0 || p.number <= p.details {
				e.packet = *p.packet()
			}
		}
		if len(c.entries) == size {
			alive = send() && take()
		}
	}
	return nil
}

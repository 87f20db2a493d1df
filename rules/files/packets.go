package files

// Packet files: which format one is in, and reading it.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/packet"
)

// PacketFlags are the flags about a packet file.
type PacketFlags struct {
	Packets       string `placeholder:"FILE" help:"Packets; - for standard input."`
	PacketsFormat string `enum:"auto,classbench,pcap,pcapng,csv" default:"auto" placeholder:"FORMAT" help:"Format of the packets: auto (by content, the default), classbench, pcap, pcapng, csv."`
	MetaFlags
}

// MetaFlags are the flags about what packets do not hold themselves.
type MetaFlags struct {
	InInterface  string `placeholder:"NAME" help:"The interface that packets came in by, where the file does not say."`
	OutInterface string `placeholder:"NAME" help:"The interface that packets leave by, where the file does not say."`
	Ctstate      string `placeholder:"STATE" help:"The connection state of all packets, such as NEW, where the file does not say."`
	Meta         string `placeholder:"WORDS" help:"iptables: what else is known of all packets, as words of a packet description: 'uid=1000 ctmark=7' (see hipac trace --help)."`
	// Tables says that packets are for the tables of an iptables file: they are
	// read as a whole, and flags about what no rule asks for are taken.
	Tables           bool   `kong:"-"`
	CaptureInterface string `enum:"none,in,out,direction" default:"none" placeholder:"ROLE" help:"What the interface names in a pcapng file are to the packets: none (the default), in, out, direction (where the file tells it for the packet)."`
}

// Packets reads the packets of a file as keys of a schema. It is for one
// goroutine, but for BytesRead.
type Packets struct {
	name    string
	format  capture.Format
	flags   *MetaFlags
	tables  bool
	next    func(rules.Key) (capture.Info, error)
	read    *rules.Schema    // of what next makes: that of NewPackets, or columns
	row     rules.Key        // of next, for lists
	outside bool             // no row can hold the packet
	capture *capture.Packets // nil for text
	number  int
	input   counted

	// See Binding.
	schema   *rules.Schema
	defaults []fieldValue
	binder   *packet.Binder
	whole    *whole
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

// NewPackets returns the packets of an input as keys of the schema; the name is
// the one for errors. It reads the input's beginning.
func NewPackets(r io.Reader, name string, f *PacketFlags, s *rules.Schema) (*Packets, error) {
	p := &Packets{schema: s, read: s, name: name, flags: &f.MetaFlags, tables: f.Tables, input: counted{r: r}}
	var err error
	if f.Tables {
		p.whole, err = newWhole(s, &f.MetaFlags)
		s = columns
	} else {
		p.defaults, err = defaultsOf(s, &f.MetaFlags)
		p.row = s.NewKey()
	}
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(&p.input, 64<<10)
	if p.format, err = sniffPackets(in, f.PacketsFormat); err != nil {
		return nil, readError(name, err)
	}
	if p.format == capture.ClassBench {
		t := classbench.NewTraceReader(in, classbench.Options{File: name, Schema: s})
		p.next = func(k rules.Key) (capture.Info, error) {
			_, err := t.Next(k)
			return capture.Info{Number: p.number + 1, Line: t.Line()}, err
		}
		return p, nil
	}
	roles := map[string]capture.Role{"none": capture.NoInterfaces, "in": capture.AsInput, "out": capture.AsOutput, "direction": capture.ByDirection}
	src, err := capture.NewSourceAs(p.format, in, s, capture.Options{File: name, Interface: roles[f.CaptureInterface]})
	if err != nil {
		return nil, readError(name, err)
	}
	p.next = src.Next
	p.capture, _ = src.(*capture.Packets)
	return p, nil
}

// Packet returns the packet that Next read last, with what flags say of it,
// when PacketFlags.Tables asked for packets; nil otherwise. The next call of
// Next overwrites it, and the bytes that it refers to.
func (p *Packets) Packet() *packet.Packet {
	if p.whole == nil {
		return nil
	}
	return &p.whole.packet
}

// Name returns the name of the file, for errors.
func (p *Packets) Name() string { return p.name }

// Format returns the format of the file.
func (p *Packets) Format() capture.Format { return p.format }

// Capture returns what gives the bytes and the headers of the packet that Next
// read last; nil for a file of text.
func (p *Packets) Capture() *capture.Packets { return p.capture }

// BytesRead returns how much of the file was read. Any goroutine may call it.
func (p *Packets) BytesRead() int64 { return p.input.n.Load() }

// BeforeRead has f called ahead of each read of the input, which may wait.
func (p *Packets) BeforeRead(f func()) { p.input.before = f }

// Next fills k with the next packet, as capture.Source does: io.EOF behind the
// last one, a *capture.PacketError about one packet alone.
func (p *Packets) Next(k rules.Key) (capture.Info, error) {
	row := p.row
	if p.whole != nil {
		row = p.whole.row
	}
	info, err := p.next(row)
	var damaged *capture.PacketError
	if err != nil && !errors.As(err, &damaged) {
		return info, err
	}
	p.number++
	if err == nil {
		p.outside = info.Outside
		info.Outside = p.bind(k)
	}
	return info, err
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

// defaultsOf reads the values that flags give to packets without them.
func defaultsOf(s *rules.Schema, f *MetaFlags) (list []fieldValue, err error) {
	if f.Meta != "" {
		return nil, BadUsage("--meta is for iptables rules")
	}
	for _, d := range f.defaults() {
		i := s.Index(d.field)
		if i < 0 {
			return nil, BadUsage("--%s: the rules have no field %s", d.flag, d.field)
		}
		v, err := s.Field(i).ParseValue(d.text)
		if err != nil {
			return nil, BadUsage("--%s: %v", d.flag, err)
		}
		list = append(list, fieldValue{i, v})
	}
	return list, nil
}

// defaultFlag is a flag's value for a field.
type defaultFlag struct{ flag, field, text string }

// defaults returns the flags that were given.
func (f *MetaFlags) defaults() (given []defaultFlag) {
	for _, d := range []defaultFlag{{"in-interface", "iif", f.InInterface}, {"out-interface", "oif", f.OutInterface}, {"ctstate", "ctstate", f.Ctstate}} {
		if d.text != "" {
			given = append(given, d)
		}
	}
	return given
}

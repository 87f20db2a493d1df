package capture

// Sources: keys from any kind of file behind one interface.

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Source gives packets as keys of one schema. It is for one goroutine.
type Source interface {
	// Next fills k, a key of the source's schema, with the next packet. It
	// returns io.EOF behind the last one. A *PacketError is about one packet
	// and the caller may go on; every other error is final. With an error, or
	// when the Info says Outside, k is unspecified.
	Next(k rules.Key) (Info, error)
}

// Info is what a source knows of a packet besides its key.
type Info struct {
	Number    int       // from 1, bad packets counted
	Line      int       // line of a text file, 0 in captures
	Offset    int64     // byte offset of the packet's record in a capture
	Time      time.Time // zero when the file has none
	Wire      int       // bytes on the wire; 0 when unknown
	Interface string    // capture interface, "" when unknown
	// Outside says that the schema's address fields cannot hold the packet's
	// addresses (an IPv6 packet and IPv4 rules): no rule is about it.
	Outside bool
}

// PacketError is an error about a single packet; the source goes on behind it.
// Err is a *packet.Error, so that errors.Is(err, packet.ErrNotIP) tells an ARP
// frame from a damaged packet.
type PacketError struct {
	File   string
	Number int
	Offset int64
	Err    error
}

// Error names the file, the packet and the reason.
func (e *PacketError) Error() string {
	return fmt.Sprintf("%s: packet %d at byte %d: %v", fileName(e.File), e.Number, e.Offset, e.Err)
}

// Unwrap returns e.Err.
func (e *PacketError) Unwrap() error { return e.Err }

// Error is an error that ends the reading of a capture. What came before was
// delivered.
type Error struct {
	File   string
	Packet int   // number of the packet that could not be read, from 1; 0 in the file's header
	Offset int64 // where in the file its record begins
	Reason string
	Err    error // io.ErrUnexpectedEOF for a file that is cut, rules.ErrLimit, packet.ErrLinkType, an I/O error, or nil
}

// Error names the file, the packet, the byte offset and the reason.
func (e *Error) Error() string {
	if e.Packet > 0 {
		return fmt.Sprintf("%s: packet %d at byte %d: %s", fileName(e.File), e.Packet, e.Offset, e.Reason)
	}
	return fmt.Sprintf("%s: byte %d: %s", fileName(e.File), e.Offset, e.Reason)
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

func fileName(name string) string {
	if name == "" {
		return "input"
	}
	return name
}

// Role says what the interface that a capture was made on is to its packets.
type Role uint8

// The roles. Most captures do not say which way a packet went, so that without
// the user's word its interfaces are unknown.
const (
	ByDirection  Role = iota // input or output, where the capture says so for the packet
	AsInput                  // all packets came in by it
	AsOutput                 // all packets leave by it
	NoInterfaces             // ignore it
)

// Options are for opening sources. The zero Options are usable.
type Options struct {
	File   string       // name for errors
	Limits rules.Limits // MaxLine counts for CSV; MaxInput only when it is set
	// Meta is given to every packet of a capture, before Interface.
	Meta packet.Meta
	// Interface says how the interface names of a pcapng file are used.
	Interface Role
}

// Packets is the Source of a pcap or pcapng capture.
type Packets struct {
	reader *Reader
	binder *packet.Binder
	packet packet.Packet
	record Record
	opts   Options
}

// NewPackets returns the packets of a capture as keys of the schema.
func NewPackets(r *Reader, s *rules.Schema, opts Options) *Packets {
	return &Packets{reader: r, binder: packet.NewBinder(s), opts: opts}
}

// Next implements Source. It does not allocate, but for errors.
func (s *Packets) Next(k rules.Key) (Info, error) {
	rec, err := s.reader.Next()
	if err != nil {
		return Info{}, err
	}
	s.record = rec
	p := &s.packet
	p.Meta = s.opts.Meta
	if rec.Interface != "" {
		switch {
		case s.opts.Interface == AsInput, s.opts.Interface == ByDirection && rec.Direction == Inbound:
			p.SetIn(rec.Interface)
		case s.opts.Interface == AsOutput, s.opts.Interface == ByDirection && rec.Direction == Outbound:
			p.SetOut(rec.Interface)
		}
	}
	info := Info{Number: rec.Number, Offset: rec.Offset, Time: rec.Time, Wire: rec.Wire, Interface: rec.Interface}
	if err := p.DecodeWire(rec.Data, rec.Wire, rec.Link); err != nil {
		return info, &PacketError{s.reader.in.file, rec.Number, rec.Offset, err}
	}
	info.Outside = !s.binder.Key(p, k)
	return info, nil
}

// Packet returns the packet that Next decoded last; it is overwritten by the
// next call of Next.
func (s *Packets) Packet() *packet.Packet { return &s.packet }

// Record returns the record that Next read last; its data are overwritten by
// the next call of Next.
func (s *Packets) Record() Record { return s.record }

// NewSource returns the source of a capture or of CSV flows, whichever the
// input is, and its format. It reads no further ahead than its buffer.
func NewSource(r io.Reader, s *rules.Schema, opts Options) (Source, Format, error) {
	in := bufio.NewReaderSize(r, bufferSize)
	f, err := Sniff(in)
	if err != nil {
		return nil, Unknown, &Error{File: opts.File, Reason: err.Error(), Err: err}
	}
	src, err := NewSourceAs(f, in, s, opts)
	return src, f, err
}

// NewSourceAs returns the source of an input whose format is known.
func NewSourceAs(f Format, r io.Reader, s *rules.Schema, opts Options) (Source, error) {
	switch f {
	case Pcap, Pcapng:
		reader, err := NewReader(r, opts.File)
		if err != nil {
			return nil, err
		}
		return NewPackets(reader, s, opts), nil
	case CSVFlows:
		// Not "return NewCSV(...)": a nil *CSV would be a Source that is not nil.
		c, err := NewCSV(r, s, opts)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, &Error{File: opts.File, Reason: fmt.Sprintf("a file of format %v is not read here", f)}
}

// Input is a source with the file that it reads.
type Input struct {
	Source
	Format Format
	file   *os.File // nil for standard input
}

// Open opens a file of any format that this package reads; "-" is standard
// input.
func Open(path string, s *rules.Schema, opts Options) (*Input, error) {
	in := &Input{}
	r := io.Reader(os.Stdin)
	if path == "-" {
		path = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		in.file, r = f, f
	}
	if opts.File == "" {
		opts.File = path
	}
	var err error
	if in.Source, in.Format, err = NewSource(r, s, opts); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// Close closes the file.
func (in *Input) Close() error {
	if in.file == nil {
		return nil
	}
	return in.file.Close()
}

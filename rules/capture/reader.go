package capture

// The reader of pcap and pcapng captures: what both have in common.
//
// It is our own and not gopacket's pcapgo, which the tests hold it to: pcapgo
// takes a record that ends right behind its header for the end of the file,
// does not tell byte offsets, believes a pcapng packet's length whatever its
// block's length is, and keeps the names and secrets of a file in memory
// without a limit.
//
// Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

const (
	// MaxPacket is the largest packet that a capture may hold. tcpdump writes
	// at most 256 kB; Linux hands out packets of up to 512 kB (BIG TCP).
	MaxPacket = 1 << 20
	// MaxInterfaces is the number of interfaces a section of a pcapng file may
	// describe.
	MaxInterfaces = 4096

	bufferSize = 64 << 10
)

// Direction says which way a packet passed the capture interface.
type Direction uint8

// The directions, where a pcapng file tells them.
const (
	NoDirection Direction = iota
	Inbound
	Outbound
)

// Record is one packet of a capture.
type Record struct {
	Number    int       // from 1
	Offset    int64     // byte offset of its record or block in the file
	Time      time.Time // UTC; zero when the file has none
	Data      []byte    // captured bytes; overwritten by the next Next
	Wire      int       // length on the wire, at least len(Data)
	Link      packet.LinkType
	Interface string // name of the capture interface, "" when unknown
	Direction Direction
}

// Reader reads the packets of a capture in constant memory. It is for one
// goroutine.
type Reader struct {
	in     stream
	format Format
	order  binary.ByteOrder
	number int // packets read
	header [24]byte
	buf    []byte // a packet or an interface block
	err    error

	// pcap
	link packet.LinkType
	unit int64 // nanoseconds in a unit of a timestamp's second part

	// pcapng
	ifaces  []iface
	options []byte
}

// NewReader returns the reader of a pcap file (of either byte order, in micro-
// or nanoseconds) or of a pcapng file, told apart by their first bytes. The
// file's name appears in errors. Errors are of type *Error.
func NewReader(r io.Reader, file string) (*Reader, error) {
	c := &Reader{in: stream{r: bufio.NewReaderSize(r, bufferSize), file: file}}
	head, err := c.in.r.Peek(4)
	if err != nil && err != io.EOF {
		return nil, &Error{File: file, Reason: fmt.Sprintf("cannot read: %v", err), Err: err}
	}
	c.format, err = sniffCapture(head)
	if err == nil && c.format == Unknown {
		if err = errEmpty; len(head) > 0 {
			err = fmt.Errorf("not a pcap or pcapng capture: it begins with % x", head)
		}
	}
	if err != nil {
		return nil, &Error{File: file, Reason: err.Error()}
	}
	if c.format == Pcap {
		err = c.openPcap()
	} else {
		err = c.openPcapng()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Format returns Pcap or Pcapng.
func (r *Reader) Format() Format { return r.format }

// Next returns the next packet, and io.EOF behind the last one. Other errors
// are of type *Error and final.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	var rec Record
	var err error
	if r.format == Pcap {
		rec, err = r.nextPcap()
	} else {
		rec, err = r.nextPcapng()
	}
	if err != nil {
		r.err = err
		return Record{}, err
	}
	r.number++
	rec.Number = r.number
	return rec, nil
}

// fail makes the error for the packet whose record begins at an offset.
func (r *Reader) fail(at int64, cause error, format string, args ...any) error {
	return &Error{File: r.in.file, Packet: r.number + 1, Offset: at, Reason: fmt.Sprintf(format, args...), Err: cause}
}

// broken makes the error for a read that failed inside a record.
func (r *Reader) broken(at int64, what string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return r.fail(at, err, "the file is cut: it ends at byte %d, inside %s", r.in.at, what)
	}
	return r.fail(at, err, "cannot read %s: %v", what, err)
}

// data reads the n bytes of a packet into the reader's buffer.
func (r *Reader) data(at int64, n uint32, what string) ([]byte, error) {
	if n > MaxPacket {
		return nil, r.fail(at, rules.ErrLimit, "%s has a length of %d bytes; at most %d are read", what, n, MaxPacket)
	}
	if int(n) > len(r.buf) {
		r.buf = make([]byte, max(int(n), 2048))
	}
	b := r.buf[:n]
	if err := r.in.full(b); err != nil {
		return nil, r.broken(at, what, err)
	}
	return b, nil
}

// stream is a reader that knows how far it has come.
type stream struct {
	r    *bufio.Reader
	at   int64
	file string
}

// atEnd reports whether there is nothing more to read, or an error other than
// the end.
func (s *stream) atEnd() (bool, error) {
	_, err := s.r.Peek(1)
	if err == io.EOF {
		return true, nil
	}
	return false, err
}

// full fills b. At the end of the input the error is io.ErrUnexpectedEOF.
func (s *stream) full(b []byte) error {
	n, err := io.ReadFull(s.r, b)
	s.at += int64(n)
	if err == io.EOF && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// skip passes over n bytes, in constant memory.
func (s *stream) skip(n uint32) error {
	for n > 0 {
		m, err := s.r.Discard(int(min(n, 1<<30)))
		s.at += int64(m)
		n -= uint32(m)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

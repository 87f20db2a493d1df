package capture

// Sniffing: the format of a file by its first bytes.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Format is a kind of file that packets come in.
type Format uint8

// The formats. ClassBench traces are read by package rules/classbench; they
// are recognized here so that a program can ask once.
const (
	Unknown Format = iota
	Pcap
	Pcapng
	CSVFlows
	ClassBench
)

var formatNames = [...]string{"unknown", "pcap", "pcapng", "csv", "classbench"}

// String returns the format's name as the command line has it.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// Magic numbers, as the first four bytes read in big-endian order.
const (
	magicMicro        = 0xa1b2c3d4
	magicMicroSwapped = 0xd4c3b2a1
	magicNano         = 0xa1b23c4d
	magicNanoSwapped  = 0x4d3cb2a1
	magicModified     = 0xa1b2cd34 // a variant with longer records, long out of use
	magicModifiedSwap = 0x34cdb2a1
	magicSection      = 0x0a0d0d0a // pcapng; the same in both orders
	magicZstd         = 0x28b52ffd
	magicXZ           = 0xfd377a58
	magicGzip         = 0x1f8b   // two bytes
	magicBzip2        = 0x425a68 // three
)

// sniffLen is as far as Sniff looks for the first line of a text.
const sniffLen = 4096

var errEmpty = errors.New("the input is empty: a capture has a header, and CSV a header line")

// Sniff says what format the input of r has by its first bytes, without
// taking any. It waits for no more input than that needs. Unknown comes with
// an error that says what was found; an empty input is Unknown.
func Sniff(r *bufio.Reader) (Format, error) {
	most := min(r.Size(), sniffLen)
	for n := 4; ; {
		_, err := r.Peek(n)
		if err != nil && err != io.EOF {
			return Unknown, err
		}
		head, _ := r.Peek(min(r.Buffered(), most))
		f, more, why := sniff(head)
		if !more || err == io.EOF || len(head) == most {
			return f, why
		}
		n = len(head) + 1
	}
}

// sniff tells the format from the beginning of a file. more says that more of
// it might change the answer.
func sniff(head []byte) (f Format, more bool, err error) {
	if f, err = sniffCapture(head); f != Unknown || err != nil {
		return f, false, err
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return Unknown, false, errors.New("not a pcap or pcapng capture, nor text")
	}
	if len(head) == 0 {
		return Unknown, true, errEmpty
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for len(head) > 0 {
		line, rest, ended := bytes.Cut(head, []byte{'\n'})
		line = bytes.TrimSpace(line)
		head = rest
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		switch {
		case bytes.IndexByte(line, ',') >= 0 || looksLikeName(line):
			return CSVFlows, !ended, nil
		case looksLikeTrace(line):
			return ClassBench, !ended, nil
		}
		return Unknown, !ended, errors.New("not a pcap or pcapng capture, nor CSV with a header line of field names, nor a trace of numbers")
	}
	return Unknown, true, errors.New("the input holds nothing but blank lines and comments")
}

// sniffCapture recognizes what begins with a magic number. An error names a
// format that is known and not read.
func sniffCapture(head []byte) (Format, error) {
	if len(head) < 4 {
		return Unknown, nil
	}
	switch magic := binary.BigEndian.Uint32(head); {
	case magic == magicMicro, magic == magicMicroSwapped, magic == magicNano, magic == magicNanoSwapped:
		return Pcap, nil
	case magic == magicSection:
		return Pcapng, nil
	case magic == magicModified, magic == magicModifiedSwap:
		return Unknown, errors.New("the modified pcap format (magic a1b2cd34) is not supported; tcpdump -r FILE -w NEW converts it")
	case magic>>16 == magicGzip, magic == magicZstd, magic == magicXZ, magic>>8 == magicBzip2:
		return Unknown, errors.New("the input is compressed; decompress it first")
	}
	return Unknown, nil
}

// looksLikeName reports whether a line is a single word, the header of a CSV
// file of one column.
func looksLikeName(line []byte) bool {
	line = bytes.Trim(line, `"`)
	for i, c := range line {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '.' || c == '-')) {
			return false
		}
	}
	return len(line) > 0
}

// looksLikeTrace reports whether a line has only numbers and addresses.
func looksLikeTrace(line []byte) bool {
	for _, c := range line {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F', c == ':', c == '.', c == ' ', c == '\t':
		default:
			return false
		}
	}
	return true
}

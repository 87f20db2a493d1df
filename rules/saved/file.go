package saved

// The container: a header, a directory and sections.

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"unsafe"
)

const (
	// Magic is what files begin with.
	Magic = "\x89HIPAC\r\n"
	// Version is the version of the format. It changes with everything that makes
	// older readers misunderstand a file, the layout of compiled trees included.
	Version = 1
	// Align is what offsets of sections are multiples of.
	Align = 64

	headerSize  = 64
	entrySize   = 32
	maxSections = 1 << 20
	nameSize    = 4
)

// Kinds of files.
const (
	KindList   = "list" // a classifier of a list of rules
	KindTables = "tabl" // tables of chains
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// Is reports whether a file that begins so is a compiled one.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte(Magic)) }

// Writer gathers the sections of a file.
type Writer struct {
	kind     string
	sections []part
}

type part struct {
	name     string
	instance int
	data     []byte
	at       uint64
}

// NewWriter returns a writer of a file of a kind, four letters.
func NewWriter(kind string) *Writer { return &Writer{kind: kind} }

// Add adds a section. The name has four letters, and no other section of the
// instance has it. The data must not change before WriteTo.
func (w *Writer) Add(name string, instance int, data []byte) {
	w.sections = append(w.sections, part{name: name, instance: instance, data: data})
}

// WriteTo writes the file. It reads all sections twice.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	slices.SortStableFunc(w.sections, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.name, b.name))
	})
	head := make([]byte, headerSize+entrySize*len(w.sections))
	at := uint64(len(head))
	for i := range w.sections {
		s := &w.sections[i]
		s.at = (at + Align - 1) / Align * Align
		at = s.at + uint64(len(s.data))
		e := head[headerSize+entrySize*i:]
		binary.LittleEndian.PutUint32(e, uint32(s.instance))
		copy(e[4:8], s.name)
		binary.LittleEndian.PutUint64(e[8:], s.at)
		binary.LittleEndian.PutUint64(e[16:], uint64(len(s.data)))
		binary.LittleEndian.PutUint32(e[24:], checksum(s.data))
	}
	copy(head, Magic)
	binary.LittleEndian.PutUint32(head[8:], Version)
	copy(head[12:16], w.kind)
	binary.LittleEndian.PutUint64(head[16:], at)
	binary.LittleEndian.PutUint32(head[24:], uint32(len(w.sections)))
	binary.LittleEndian.PutUint32(head[28:], checksum(head[headerSize:]))
	binary.LittleEndian.PutUint32(head[60:], checksum(head[:60]))
	var zeros [Align]byte
	n, err := out.Write(head)
	written := int64(n)
	for i := 0; i < len(w.sections) && err == nil; i++ {
		s := &w.sections[i]
		n, err = out.Write(zeros[:s.at-uint64(written)])
		if written += int64(n); err == nil {
			n, err = out.Write(s.data)
			written += int64(n)
		}
	}
	return written, err
}

// File is a file that has been parsed. It shares the memory of the data.
type File struct {
	Kind     string
	sections []Section
	used     []bool
}

// Section is a section of a file.
type Section struct {
	Name     string
	Instance int
	Data     []byte
	at       int64
}

// Damaged returns an error that is ErrDamaged, at an offset in the section.
func (s *Section) Damaged(offset int, format string, args ...any) error {
	return &Error{Section: s.label(), Offset: s.at + int64(offset), Reason: fmt.Sprintf(format, args...), Err: ErrDamaged}
}

func (s *Section) label() string {
	if s.Instance == 0 {
		return "section " + s.Name
	}
	return fmt.Sprintf("section %s of %d", s.Name, s.Instance)
}

// Parse parses a file and checks its structure and all checksums, in one pass
// over the data. The file uses the data where it lies if that is at a multiple of
// Align in memory, else a copy; the data must not change any more. It takes no
// memory but that copy and the directory.
func Parse(data []byte) (*File, error) {
	if len(data) < len(Magic) && bytes.HasPrefix([]byte(Magic), data) {
		return nil, headerError(ErrTruncated, "the file has %d bytes", len(data))
	}
	if !Is(data) {
		return nil, headerError(ErrFormat, "the file does not begin with % x", Magic)
	}
	if len(data) < headerSize {
		return nil, headerError(ErrTruncated, "the file has %d bytes, and its header %d", len(data), headerSize)
	}
	head := data[:headerSize]
	// The version first: what is behind it may mean something else in others.
	if v := binary.LittleEndian.Uint32(head[8:]); v != Version {
		if checksum(head[:60]) != binary.LittleEndian.Uint32(head[60:]) {
			return nil, headerError(ErrDamaged, "wrong checksum")
		}
		return nil, headerError(ErrVersion, "the file has version %d of the format, and this program reads version %d", v, Version)
	}
	if checksum(head[:60]) != binary.LittleEndian.Uint32(head[60:]) {
		return nil, headerError(ErrDamaged, "wrong checksum")
	}
	size, count := binary.LittleEndian.Uint64(head[16:]), binary.LittleEndian.Uint32(head[24:])
	switch {
	case size > math.MaxInt64 || size > math.MaxInt:
		return nil, headerError(ErrTooLarge, "%d bytes", size)
	case uint64(len(data)) < size:
		return nil, headerError(ErrTruncated, "%d bytes of %d", len(data), size)
	case uint64(len(data)) > size:
		return nil, headerError(ErrDamaged, "%d bytes behind the end", uint64(len(data))-size)
	case count > maxSections || headerSize+entrySize*uint64(count) > size:
		return nil, headerError(ErrDamaged, "%d sections in %d bytes", count, size)
	case slices.ContainsFunc(head[32:60], func(b byte) bool { return b != 0 }):
		return nil, headerError(ErrDamaged, "something stands where nothing should")
	}
	data = aligned(data)
	head = data[:headerSize+entrySize*int(count)]
	if checksum(head[headerSize:]) != binary.LittleEndian.Uint32(head[28:]) {
		return nil, &Error{Section: "directory", Offset: headerSize, Reason: "wrong checksum", Err: ErrDamaged}
	}
	f := &File{Kind: string(head[12:16]), sections: make([]Section, count), used: make([]bool, count)}
	end := uint64(len(head))
	for i := range f.sections {
		e := head[headerSize+entrySize*i:][:entrySize]
		s := Section{Instance: int(binary.LittleEndian.Uint32(e)), Name: string(e[4:8])}
		at, length := binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint64(e[16:])
		bad := func(reason string) error {
			return &Error{Section: "directory", Offset: int64(headerSize + entrySize*i), Reason: reason, Err: ErrDamaged}
		}
		if i > 0 {
			last := &f.sections[i-1]
			if cmp.Or(cmp.Compare(last.Instance, s.Instance), cmp.Compare(last.Name, s.Name)) >= 0 {
				return nil, bad("sections are not in order")
			}
		}
		if s.Instance < 0 || at != (end+Align-1)/Align*Align || length > size || at > size-length || binary.LittleEndian.Uint32(e[28:]) != 0 {
			return nil, bad("a section does not lie behind the one before it")
		}
		if slices.ContainsFunc(data[end:at], func(b byte) bool { return b != 0 }) {
			return nil, bad("something stands between sections")
		}
		end = at + length
		s.at, s.Data = int64(at), data[at:end:end]
		if checksum(s.Data) != binary.LittleEndian.Uint32(e[24:]) {
			return nil, &Error{Section: s.label(), Offset: s.at, Reason: "wrong checksum", Err: ErrDamaged}
		}
		f.sections[i] = s
	}
	if end != size {
		return nil, &Error{Section: "directory", Offset: headerSize, Reason: "the sections end before the file", Err: ErrDamaged}
	}
	return f, nil
}

// Reseal sets all checksums of a file that Parse accepts but for them, where
// sections have been changed. It is for tests of what checksums do not find.
func Reseal(data []byte) {
	if len(data) < headerSize {
		return
	}
	count := int(min(binary.LittleEndian.Uint32(data[24:]), maxSections))
	if len(data) < headerSize+entrySize*count {
		return
	}
	for i := range count {
		e := data[headerSize+entrySize*i:]
		at, length := binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint64(e[16:])
		if length <= uint64(len(data)) && at <= uint64(len(data))-length {
			binary.LittleEndian.PutUint32(e[24:], checksum(data[at:at+length]))
		}
	}
	binary.LittleEndian.PutUint32(data[28:], checksum(data[headerSize:headerSize+entrySize*count]))
	binary.LittleEndian.PutUint32(data[60:], checksum(data[:60]))
}

// Sections returns all sections, in order.
func (f *File) Sections() []Section { return f.sections }

// Has reports whether the file has a section.
func (f *File) Has(name string, instance int) bool { return f.find(name, instance) >= 0 }

func (f *File) find(name string, instance int) int {
	return slices.IndexFunc(f.sections, func(s Section) bool { return s.Name == name && s.Instance == instance })
}

// Section returns a section. It is ErrDamaged when there is none.
func (f *File) Section(name string, instance int) (*Section, error) {
	i := f.find(name, instance)
	if i < 0 {
		s := Section{Name: name, Instance: instance}
		return nil, &Error{Section: s.label(), Offset: -1, Reason: "it is missing", Err: ErrDamaged}
	}
	f.used[i] = true
	return &f.sections[i], nil
}

// Optional returns a section, an empty one when there is none.
func (f *File) Optional(name string, instance int) *Section {
	if s, err := f.Section(name, instance); err == nil {
		return s
	}
	return &Section{Name: name, Instance: instance}
}

// Done reports a section that nobody has asked for.
func (f *File) Done() error {
	if i := slices.Index(f.used, false); i >= 0 {
		return f.sections[i].Damaged(0, "nobody knows what it is")
	}
	return nil
}

// Words returns the words of a section; they may be its own memory.
func Words[W Word](s *Section) ([]W, error) {
	if size := int(unsafe.Sizeof(W(0))); len(s.Data)%size != 0 {
		return nil, s.Damaged(0, "%d bytes are no words of %d bytes", len(s.Data), size)
	}
	return wordsOf[W](s.Data), nil
}

// Read reads a file from a reader into memory. It takes memory for what is there,
// whatever the header says.
func Read(r io.Reader) ([]byte, error) {
	head := make([]byte, headerSize)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, err
	}
	if head = head[:n]; n < headerSize || !Is(head) {
		return head, nil // Parse says what is wrong
	}
	size := binary.LittleEndian.Uint64(head[16:])
	if checksum(head[:60]) != binary.LittleEndian.Uint32(head[60:]) || size < headerSize || size >= math.MaxInt-Align {
		return head, nil
	}
	const first = 1 << 20
	buf := alignedBuffer(int(min(size, first)))
	copy(buf, head)
	for at := n; ; {
		n, err := io.ReadFull(r, buf[at:])
		at += n
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return buf[:at], nil
		case err != nil:
			return nil, err
		case uint64(at) == size: // one byte more, to see that there is none
			var more [1]byte
			if n, err := io.ReadFull(r, more[:]); n > 0 {
				return append(buf, more[0]), nil
			} else if err != io.EOF {
				return nil, err
			}
			return buf, nil
		}
		longer := alignedBuffer(int(min(size, 4*uint64(len(buf)))))
		copy(longer, buf)
		buf = longer
	}
}

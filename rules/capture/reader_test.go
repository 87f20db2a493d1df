package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

func TestPcapIsReadInBothOrdersAndResolutions(t *testing.T) {
	for name, o := range orders {
		for magic, unit := range map[uint32]int64{0xa1b2c3d4: 1000, 0xa1b23c4d: 1} {
			b := pcapHeader(o, magic, 101)
			b = pcapRecord(o, b, 1700000000, 999, ip(1), 40)
			b = pcapRecord(o, b, 1, 2, ip(2)[:30], 1500)
			b = pcapRecord(o, b, 0, 0, nil, 0)
			b = pcapRecord(o, b, 3, 0, ip(3), 0) // a writer that leaves out the length on the wire
			got, err := readAll(t, iotest.OneByteReader(bytes.NewReader(b)))
			require.Equal(t, io.EOF, err)
			require.Equal(t, []Record{
				{Number: 1, Offset: 24, Time: utc(1700000000, 999*unit), Data: ip(1), Wire: 41, Link: packet.LinkRaw},
				{Number: 2, Offset: 24 + 16 + 41, Time: utc(1, 2*unit), Data: ip(2)[:30], Wire: 1500, Link: packet.LinkRaw},
				{Number: 3, Offset: 24 + 32 + 71, Time: utc(0, 0), Wire: 0, Link: packet.LinkRaw},
				{Number: 4, Offset: 24 + 48 + 71, Time: utc(3, 0), Data: ip(3), Wire: 43, Link: packet.LinkRaw},
			}, got, name)
		}
	}
}

func TestPcapLinkTypeLeavesOutTheFrameCheckSequence(t *testing.T) {
	got, err := readAll(t, bytes.NewReader(pcapRecord(binary.BigEndian, pcapHeader(binary.BigEndian, 0xa1b2c3d4, 0x24000001), 0, 0, []byte("x"), 1)))
	require.Equal(t, io.EOF, err)
	require.Equal(t, packet.LinkEthernet, got[0].Link)
}

func TestPcapngIsReadInBothOrders(t *testing.T) {
	for name, o := range orders {
		g := &ng{o: o}
		g.section()
		g.iface(101, 0, g.option(g.option(nil, 2, []byte("eth0")), 0, nil))
		g.block(0x0bad, []byte("a block that nobody knows   "))
		g.iface(1, 96, g.option(g.option(g.option(nil, 9, []byte{9}), 2, []byte("wlan0")), 14, o.AppendUint64(nil, 100)))
		g.iface(220, 0, nil) // not supported, and no packet is on it
		g.enhanced(0, 1_700_000_000_000_001, ip(1), 41, nil)
		g.enhanced(1, 2_000_000_003, ip(2), 1500, g.option(nil, 2, o.AppendUint32(nil, 0xfffffffd)))
		g.enhanced(0, 0, ip(3), 43, g.option(g.option(g.option(nil, 1, []byte("comment")), 2, o.AppendUint32(nil, 2)), 0, nil))
		g.simple(ip(4), len(ip(4)))
		g.section()
		g.iface(228, 20, nil)
		g.simple(ip(5)[:20], 999)
		g.block(2, append(append(append(o.AppendUint16(nil, 0), 0, 9), // the obsolete block: interface, drops
			append(o.AppendUint32(o.AppendUint32(nil, 0), 7), o.AppendUint32(o.AppendUint32(nil, 2), 60)...)...), 'h', 'i', 0, 0))
		got, err := readAll(t, iotest.OneByteReader(bytes.NewReader(g.b)))
		require.Equal(t, io.EOF, err, name)
		at := func(i int) int64 { return int64(g.at[i]) }
		require.Equal(t, []Record{
			{Number: 1, Offset: at(5), Time: utc(1_700_000_000, 1000), Data: ip(1), Wire: 41, Link: 101, Interface: "eth0"},
			{Number: 2, Offset: at(6), Time: utc(102, 3), Data: ip(2), Wire: 1500, Link: 1, Interface: "wlan0", Direction: Inbound},
			{Number: 3, Offset: at(7), Time: utc(0, 0), Data: ip(3), Wire: 43, Link: 101, Interface: "eth0", Direction: Outbound},
			{Number: 4, Offset: at(8), Data: ip(4), Wire: 44, Link: 101, Interface: "eth0"},
			{Number: 5, Offset: at(11), Data: ip(5)[:20], Wire: 999, Link: 228},
			{Number: 6, Offset: at(12), Time: utc(0, 7000), Data: []byte("hi"), Wire: 60, Link: 228},
		}, got, name)
	}
}

func TestPcapngTimestamps(t *testing.T) {
	tests := []struct {
		name       string
		resolution byte
		offset     int64
		ts         uint64
		want       time.Time
	}{
		{"seconds", 0, 0, 1700000000, utc(1700000000, 0)},
		{"milliseconds", 3, -1, 1500, utc(0, 500e6)},
		{"picoseconds", 12, 0, 1_000_000_000_999, utc(1, 0)},
		{"powers of two", 0x80 | 32, 0, 5<<32 | 1<<31, utc(5, 500e6)},
		{"the finest power of ten", 19, 0, 15e18, utc(1, 500e6)},
		{"the finest power of two", 0x80 | 63, 0, 3 << 62, utc(1, 500e6)},
		{"beyond 64 bits", 20, 0, 5, time.Time{}},
		{"beyond 64 bits, binary", 0x80 | 64, 0, 5, time.Time{}},
		{"beyond the year 9999", 0, 0, 1 << 62, time.Time{}},
		{"an offset beyond all years", 6, 1 << 62, 5, time.Time{}},
		{"before 1970", 0, -10, 5, time.Time{}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := &ng{o: binary.LittleEndian}
			g.section()
			g.iface(1, 0, g.option(g.option(nil, 9, []byte{tc.resolution}), 14, binary.LittleEndian.AppendUint64(nil, uint64(tc.offset))))
			g.enhanced(0, tc.ts, nil, 0, nil)
			got, err := readAll(t, bytes.NewReader(g.b))
			require.Equal(t, io.EOF, err)
			require.Equal(t, tc.want, got[0].Time)
		})
	}
}

// TestCaptureCutAtEveryByte cuts captures: what came before is delivered, a
// cut between two records is the end, any other is an error that names the
// packet, where it begins and where the file ends.
func TestCaptureCutAtEveryByte(t *testing.T) {
	le := binary.LittleEndian
	pcap := pcapHeader(le, 0xa1b2c3d4, 101)
	ends := []int{len(pcap)} // where a cut is not seen; each later one behind a record
	for n := range 3 {
		pcap = pcapRecord(le, pcap, 0, 0, ip(n), 100)
		ends = append(ends, len(pcap))
	}
	g := &ng{o: le}
	g.section()
	g.iface(101, 0, g.option(nil, 2, []byte("eth0")))
	g.enhanced(0, 0, ip(1), 41, nil)
	g.block(5, make([]byte, 12)) // statistics
	g.enhanced(0, 0, ip(2), 42, g.option(nil, 2, []byte{1, 0, 0, 0}))
	g.simple(ip(3), 43)
	for name, tc := range map[string]struct {
		file    []byte
		packets func(n int) int // delivered from the first n bytes
		clean   func(n int) bool
		begin   func(n int) int64 // of the record that a cut at n is in
		header  int
	}{
		"pcap": {
			file:    pcap,
			header:  24,
			packets: func(n int) int { return count(ends[1:], n) },
			clean:   func(n int) bool { return contains(ends, n) },
			begin:   func(n int) int64 { return int64(ends[count(ends, n)-1]) },
		},
		"pcapng": {
			file:    g.b,
			header:  28,
			packets: func(n int) int { return count([]int{g.at[3], g.at[5], len(g.b)}, n) },
			clean:   func(n int) bool { return contains(append(g.at, len(g.b)), n) },
			begin:   func(n int) int64 { return int64(g.at[count(g.at[1:], n)]) },
		},
	} {
		for n := range len(tc.file) + 1 {
			got, err := readAll(t, bytes.NewReader(tc.file[:n]))
			require.Len(t, got, tc.packets(n), "%s cut at %d", name, n)
			if n >= tc.header && tc.clean(n) {
				require.Equal(t, io.EOF, err, "%s cut at %d", name, n)
				continue
			}
			var typed *Error
			require.ErrorAs(t, err, &typed, "%s cut at %d", name, n)
			if n < 4 {
				continue // no magic number
			}
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s cut at %d", name, n)
			require.ErrorContains(t, err, "the file is cut: it ends at byte")
			if n < tc.header {
				require.Zero(t, typed.Packet)
				continue
			}
			require.Equal(t, len(got)+1, typed.Packet, "%s cut at %d", name, n)
			require.Equal(t, tc.begin(n), typed.Offset, "%s cut at %d", name, n)
		}
	}
}

// count returns how many of the ascending numbers are at most n.
func count(xs []int, n int) (c int) {
	for _, x := range xs {
		if x <= n {
			c++
		}
	}
	return c
}

func contains(xs []int, n int) bool {
	for _, x := range xs {
		if x == n {
			return true
		}
	}
	return false
}

func TestErrorOfACutCaptureReads(t *testing.T) {
	b := pcapRecord(binary.LittleEndian, pcapHeader(binary.LittleEndian, 0xa1b2c3d4, 1), 0, 0, make([]byte, 60), 60)
	_, err := readAll(t, bytes.NewReader(append(b, b[24:60]...)))
	require.EqualError(t, err, "test.pcap: packet 2 at byte 100: the file is cut: it ends at byte 136, inside the packet's data")
}

func TestHostileCapturesAreRefused(t *testing.T) {
	le := binary.LittleEndian
	head := func(link uint32) []byte { return pcapHeader(le, 0xa1b2c3d4, link) }
	section := func() *ng { return (&ng{o: le}).section() }
	withIface := func(options []byte) *ng { return section().iface(1, 0, options) }
	patch := func(b []byte, at int, x uint32) []byte {
		b = append([]byte(nil), b...)
		le.PutUint32(b[at:], x)
		return b
	}
	many := section()
	for range MaxInterfaces + 1 {
		many.iface(1, 0, nil)
	}
	tests := []struct {
		name   string
		file   []byte
		packet int
		offset int64
		cause  error
		text   string
	}{
		{"an empty file", nil, 0, 0, nil, "empty"},
		{"text", []byte("src,dst\n"), 0, 0, nil, "begins with 73 72 63 2c"},
		{"gzip", []byte("\x1f\x8b\x08\x00"), 0, 0, nil, "compressed"},
		{"modified pcap", []byte("\x34\xcd\xb2\xa1"), 0, 0, nil, "modified pcap"},
		{"version 3.0", patch(head(1), 4, 3), 0, 4, nil, "version 3.0"},
		{"link type 220", head(220), 0, 20, packet.ErrLinkType, "link type 220 is not supported"},
		{"a link type class", head(0x00010001), 0, 20, packet.ErrLinkType, "link type 65537"},
		{"a packet of 4 GB", patch(pcapRecord(le, head(1), 0, 0, ip(1), 41), 32, 0xffffffff), 1, 24, rules.ErrLimit, "4294967295 bytes"},
		{"a packet above the limit", patch(pcapRecord(le, head(1), 0, 0, make([]byte, MaxPacket+1), 41), 32, MaxPacket+1), 1, 24, rules.ErrLimit, "at most 1048576"},
		{"a section of another order", patch(section().b, 8, 0x01020304), 0, 0, nil, "byte order"},
		{"a section of version 2.0", patch(section().b, 12, 2), 0, 0, nil, "version 2.0"},
		{"a section of 12 bytes", patch(section().b, 4, 12), 0, 0, nil, "length of 12"},
		{"a section with another length at its end", patch(section().b, 24, 32), 0, 0, nil, "ends with a length of 32"},
		{"a block of 8 bytes", patch(section().block(7, nil).b, 32, 8), 1, 28, nil, "length of 8 bytes"},
		{"a block of 13 bytes", patch(section().block(7, nil).b, 32, 13), 1, 28, nil, "length of 13 bytes"},
		{"a block of 4 GB", patch(section().block(7, nil).b, 32, 0xfffffffc), 1, 28, io.ErrUnexpectedEOF, "is cut"},
		{"an interface of 4 GB", patch(section().iface(1, 0, nil).b, 32, 0xfffffffc), 1, 28, rules.ErrLimit, "interface block"},
		{"an interface of 16 bytes", section().block(1, make([]byte, 4)).b, 1, 28, nil, "interface block of 16"},
		{"an interface with broken options", withIface([]byte{2, 0, 9, 0, 'e', 't', 'h', '0'}).b, 1, 28, nil, "options"},
		{"too many interfaces", many.b, 1, int64(28 + 20*MaxInterfaces), rules.ErrLimit, "more than 4096 interfaces"},
		{"a packet without an interface", section().enhanced(0, 0, ip(1), 41, nil).b, 1, 28, nil, "interface 0 is not among the 0"},
		{"a simple packet without an interface", section().simple(ip(1), 41).b, 1, 28, nil, "interface 0 is not among the 0"},
		{"a packet of a later interface", withIface(nil).enhanced(0xffffffff, 0, ip(1), 41, nil).b, 1, 48, nil, "interface 4294967295 is not among the 1"},
		{"interfaces of the section before", withIface(nil).section().enhanced(0, 0, ip(1), 41, nil).b, 1, 76, nil, "not among the 0"},
		{"an unsupported interface", section().iface(220, 0, nil).enhanced(0, 0, ip(1), 41, nil).b, 1, 48, packet.ErrLinkType, "link type 220 of interface 0"},
		{"a packet beyond its block", patch(withIface(nil).enhanced(0, 0, ip(1), 41, nil).b, 48+20, 45), 1, 48, nil, "45 bytes in a block with room for 44"},
		{"a packet of 4 GB in a block of 4 GB", patch(patch(withIface(nil).enhanced(0, 0, ip(1), 41, nil).b, 48+20, 0xffff0000), 48+4, 0xfffffffc), 1, 48, rules.ErrLimit, "4294901760 bytes"},
		{"a simple packet of 4 GB", patch(withIface(nil).simple(ip(1), 41).b, 48+8, 0xffffffff), 1, 48, nil, "room for 44"},
		{"a packet block of 24 bytes", withIface(nil).block(6, make([]byte, 12)).b, 1, 48, nil, "packet block of 24"},
		{"a packet with broken options", withIface(nil).enhanced(0, 0, ip(1), 41, []byte{1, 0, 200, 0}).b, 1, 48, nil, "options are broken"},
		{"a block with another length at its end", patch(withIface(nil).enhanced(0, 0, ip(4), 44, nil).b, 48+28+44, 96), 1, 48, nil, "ends with a length of 96"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readAll(t, bytes.NewReader(tc.file))
			var typed *Error
			require.ErrorAs(t, err, &typed)
			require.ErrorContains(t, err, tc.text)
			require.Equal(t, tc.packet, typed.Packet)
			require.Equal(t, tc.offset, typed.Offset)
			if tc.cause != nil {
				require.ErrorIs(t, err, tc.cause)
			}
		})
	}
}

// zeros is an endless input.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestLengthsDoNotTakeMemory(t *testing.T) {
	le := binary.LittleEndian
	g := (&ng{o: le}).section()
	g.b = le.AppendUint32(le.AppendUint32(g.b, 7), 256<<20) // an unknown block of 256 MB, skipped
	for name, r := range map[string]io.Reader{
		"pcap":   io.MultiReader(bytes.NewReader(pcapHeader(le, 0xa1b2c3d4, 1)), bytes.NewReader(le.AppendUint32(make([]byte, 8), 1<<31)), zeros{}),
		"pcapng": io.MultiReader(bytes.NewReader(g.b), io.LimitReader(zeros{}, 256<<20-12), bytes.NewReader(le.AppendUint32(nil, 256<<20))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readAll(t, r)
		runtime.ReadMemStats(&after)
		require.Error(t, err)
		require.Equal(t, name == "pcapng", err == io.EOF)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*MaxPacket), name)
	}
}

func TestReaderPassesErrorsOfItsInputOn(t *testing.T) {
	broken := errors.New("the disk is on fire")
	b := pcapRecord(binary.LittleEndian, pcapHeader(binary.LittleEndian, 0xa1b2c3d4, 101), 0, 0, ip(1), 41)
	for n := range len(b) + 1 {
		got, err := readAll(t, io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken, "after %d bytes", n)
		require.Equal(t, n == len(b), len(got) == 1)
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	le := binary.LittleEndian
	g := (&ng{o: le}).section()
	g.iface(101, 0, g.option(nil, 2, []byte("eth0")))
	pcap := pcapHeader(le, 0xa1b2c3d4, 101)
	for range 2000 {
		g.enhanced(0, 1, ip(1), 41, g.option(nil, 2, []byte{1, 0, 0, 0}))
		pcap = pcapRecord(le, pcap, 0, 0, ip(1), 41)
	}
	for _, file := range [][]byte{g.b, pcap} {
		r, err := NewReader(bytes.NewReader(file), "")
		require.NoError(t, err)
		src := NewPackets(r, rules.Firewall, Options{})
		key := rules.Firewall.NewKey()
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if _, err := src.Next(key); err != nil {
				t.Fatal(err)
			}
		}))
	}
}

func TestSniff(t *testing.T) {
	long := strings.Repeat("x", 2*sniffLen)
	tests := []struct {
		name string
		in   string
		want Format
		text string // of the error
	}{
		{"pcap", "\xd4\xc3\xb2\xa1rest", Pcap, ""},
		{"pcap, big endian nanoseconds", "\xa1\xb2\x3c\x4d", Pcap, ""},
		{"pcapng", "\x0a\x0d\x0d\x0a", Pcapng, ""},
		{"CSV", "src,dst\n1,2\n", CSVFlows, ""},
		{"CSV of one column", "\n# flows\r\n\"dport\"\r\n80\r\n", CSVFlows, ""},
		{"CSV with a byte order mark", "\xef\xbb\xbfdport\n", CSVFlows, ""},
		{"CSV with a wrong header", "source address,dst", CSVFlows, ""},
		{"CSV with a long header", "src," + long, CSVFlows, ""},
		{"a trace", "167772161\t3232235777\t80\t443\t6\n", ClassBench, ""},
		{"an IPv6 trace", "fe80::1 fe80::2 80 443 6", ClassBench, ""},
		{"nothing", "", Unknown, "empty"},
		{"three bytes", "\x00\x01\x02", Unknown, "nor text"},
		{"blank lines", "\n \n#\n", Unknown, "nothing but blank lines"},
		{"prose", "these are packets\n", Unknown, "nor a trace"},
		{"zstd", "\x28\xb5\x2f\xfd....", Unknown, "compressed"},
		{"binary", "ELF\x00....", Unknown, "nor text"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tc.in), iotest.OneByteReader(strings.NewReader(tc.in))} {
				in := bufio.NewReaderSize(r, bufferSize)
				got, err := Sniff(in)
				require.Equal(t, tc.want, got)
				if tc.text != "" {
					require.ErrorContains(t, err, tc.text)
				} else {
					require.NoError(t, err)
				}
				rest, err := io.ReadAll(in)
				require.NoError(t, err)
				require.Equal(t, tc.in, string(rest), "nothing is taken")
			}
		})
	}
	_, err := Sniff(bufio.NewReader(iotest.ErrReader(io.ErrClosedPipe)))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.Equal(t, []string{"unknown", "pcap", "pcapng", "csv", "classbench", "format(9)"},
		[]string{Unknown.String(), Pcap.String(), Pcapng.String(), CSVFlows.String(), ClassBench.String(), Format(9).String()})
}

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// A Source that goes on behind a bad packet and stops at a bad file.
func TestPacketsGoOnBehindBadPackets(t *testing.T) {
	le := binary.LittleEndian
	bad := ip(2)
	bad[0] = 0x44
	six := packet.Packet{Family: 6, Proto: packet.UDP}
	b := pcapHeader(le, 0xa1b2c3d4, 101)
	for _, data := range [][]byte{ip(1), bad, ip(3)[:19], six.AppendIP(nil), ip(5)[:20], nil} {
		b = pcapRecord(le, b, 1, 0, data, len(data))
	}
	b = append(b, 1, 2, 3)
	src, format, err := NewSource(bytes.NewReader(b), rules.IPv4Tuple, Options{File: "x.pcap"})
	require.NoError(t, err)
	require.Equal(t, Pcap, format)
	var got []string
	k := rules.IPv4Tuple.NewKey()
	for {
		info, err := src.Next(k)
		var one *PacketError
		switch {
		case errors.As(err, &one):
			require.Equal(t, info.Number, one.Number)
			got = append(got, err.Error())
			continue
		case err != nil:
			got = append(got, err.Error())
		case info.Outside:
			got = append(got, "outside")
			continue
		default:
			got = append(got, keyText(rules.IPv4Tuple, k))
			continue
		}
		break
	}
	require.Equal(t, []string{
		"src=10.0.0.1 dst=192.0.2.7 sport=4242 dport=1 proto=tcp",
		"x.pcap: packet 2 at byte 81: malformed packet: IPv4 header length is below 20",
		"x.pcap: packet 3 at byte 139: truncated packet: ends inside the IP header",
		"outside",
		"x.pcap: packet 5 at byte 238: malformed packet: IP length is beyond the end of the packet",
		"x.pcap: packet 6 at byte 274: truncated packet: ends inside the IP header",
		"x.pcap: packet 7 at byte 290: the file is cut: it ends at byte 293, inside a record header",
	}, got)
}

func TestPacketsUseTheWireLength(t *testing.T) {
	b := pcapRecord(binary.LittleEndian, pcapHeader(binary.LittleEndian, 0xa1b2c3d4, 101), 0, 0, ip(1)[:24], 41)
	r, err := NewReader(bytes.NewReader(b), "")
	require.NoError(t, err)
	src := NewPackets(r, rules.IPv4Tuple, Options{})
	k := rules.IPv4Tuple.NewKey()
	info, err := src.Next(k)
	require.NoError(t, err)
	require.Equal(t, Info{Number: 1, Offset: 24, Time: utc(0, 0), Wire: 41}, info)
	require.Equal(t, "src=10.0.0.1 dst=192.0.2.7 sport=4242 dport=1 proto=tcp", keyText(rules.IPv4Tuple, k))
	require.Equal(t, packet.Cut, src.Packet().Notes)
	require.Equal(t, ip(1)[:24], src.Record().Data)
}

func TestInterfacesHaveTheRoleAskedFor(t *testing.T) {
	g := (&ng{o: binary.LittleEndian}).section()
	g.iface(101, 0, g.option(nil, 2, []byte("eth0")))
	g.iface(101, 0, nil)
	g.enhanced(0, 0, ip(1), 41, g.option(nil, 2, []byte{1, 0, 0, 0}))
	g.enhanced(0, 0, ip(1), 41, g.option(nil, 2, []byte{2, 0, 0, 0}))
	g.enhanced(0, 0, ip(1), 41, nil)
	g.enhanced(1, 0, ip(1), 41, g.option(nil, 2, []byte{1, 0, 0, 0}))
	s := rules.MustSchema(rules.Field{Name: "iif", Kind: rules.Name}, rules.Field{Name: "oif", Kind: rules.Name}, rules.Field{Name: "mark", Bits: 32})
	var lo packet.Meta
	lo.SetIn("lo")
	lo.Mark = 9
	tests := []struct {
		name string
		opts Options
		want []string
	}{
		{"by direction", Options{}, []string{"iif=eth0 mark=0", "oif=eth0 mark=0", "mark=0", "mark=0"}},
		{"as input", Options{Interface: AsInput}, []string{"iif=eth0 mark=0", "iif=eth0 mark=0", "iif=eth0 mark=0", "mark=0"}},
		{"as output", Options{Interface: AsOutput}, []string{"oif=eth0 mark=0", "oif=eth0 mark=0", "oif=eth0 mark=0", "mark=0"}},
		{"none", Options{Interface: NoInterfaces}, []string{"mark=0", "mark=0", "mark=0", "mark=0"}},
		{"with the caller's", Options{Meta: lo}, []string{"iif=eth0 mark=9", "iif=lo oif=eth0 mark=9", "iif=lo mark=9", "iif=lo mark=9"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			src, format, err := NewSource(bytes.NewReader(g.b), s, tc.opts)
			require.NoError(t, err)
			require.Equal(t, Pcapng, format)
			var got []string
			k := s.NewKey()
			for {
				_, err := src.Next(k)
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				got = append(got, keyText(s, k))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestOpenTellsFormatsApart(t *testing.T) {
	dir := t.TempDir()
	var pcap bytes.Buffer
	require.NoError(t, WritePcap(&pcap, packet.LinkRaw, func(yield func(time.Time, []byte) bool) { yield(time.Time{}, ip(7)) }))
	g := (&ng{o: binary.BigEndian}).section().iface(101, 0, nil).enhanced(0, 0, ip(7), 42, nil)
	csv := "src,dst,sport,dport,proto\n10.0.0.7,192.0.2.7,4242,7,tcp\n"
	want := "src=10.0.0.7 dst=192.0.2.7 sport=4242 dport=7 proto=tcp"
	for format, data := range map[Format][]byte{Pcap: pcap.Bytes(), Pcapng: g.b, CSVFlows: []byte(csv)} {
		path := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		in, err := Open(path, rules.IPv4Tuple, Options{})
		require.NoError(t, err)
		require.Equal(t, format, in.Format)
		k := rules.IPv4Tuple.NewKey()
		_, err = in.Next(k)
		require.NoError(t, err)
		require.Equal(t, want, keyText(rules.IPv4Tuple, k))
		_, err = in.Next(k)
		require.Equal(t, io.EOF, err)
		require.NoError(t, in.Close())
		require.Error(t, in.Close(), "the file was closed")
	}
	for name, data := range map[string]string{"begins": "10\t20\t1\t2\t6\n", "empty": "", "header": "src,user\n", "link": string(pcapHeader(binary.LittleEndian, 0xa1b2c3d4, 220))} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
		in, err := Open(path, rules.IPv4Tuple, Options{})
		require.Nil(t, in)
		require.ErrorContains(t, err, path, name)
	}
	_, err := Open(filepath.Join(dir, "missing"), rules.IPv4Tuple, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestOpenReadsStandardInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.csv")
	require.NoError(t, os.WriteFile(path, []byte("dport\n80\nx\n"), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	stdin := os.Stdin
	os.Stdin = f
	defer func() { os.Stdin = stdin }()
	in, err := Open("-", rules.IPv4Tuple, Options{})
	require.NoError(t, err)
	k := rules.IPv4Tuple.NewKey()
	_, err = in.Next(k)
	require.NoError(t, err)
	_, err = in.Next(k)
	require.ErrorContains(t, err, "standard input:3:1")
	require.NoError(t, in.Close())
	require.NoError(t, in.Close(), "standard input stays open")
}

// TestPacketsComeAsTheyAreWritten: a live capture through a pipe is read
// packet by packet, without waiting for the next one.
func TestPacketsComeAsTheyAreWritten(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	send := func(b []byte) {
		go func() { _, _ = w.Write(b) }()
	}
	send(pcapHeader(binary.LittleEndian, 0xa1b2c3d4, 101))
	src, _, err := NewSource(r, rules.IPv4Tuple, Options{})
	require.NoError(t, err)
	k := rules.IPv4Tuple.NewKey()
	for n := range 3 {
		send(pcapRecord(binary.LittleEndian, nil, 0, 0, ip(n), 100))
		info, err := src.Next(k)
		require.NoError(t, err)
		require.Equal(t, n+1, info.Number)
		require.EqualValues(t, n, k[4])
	}
}

func TestNewSourceAsRefusesOtherFormats(t *testing.T) {
	for _, f := range []Format{Unknown, ClassBench, Format(77)} {
		_, err := NewSourceAs(f, strings.NewReader("x"), rules.IPv4Tuple, Options{File: "f"})
		require.ErrorContains(t, err, f.String())
	}
	src, err := NewSourceAs(CSVFlows, strings.NewReader("user\n"), rules.IPv4Tuple, Options{})
	require.Error(t, err)
	require.True(t, src == nil)
}

func TestReaderReadsWhatWritePcapWrites(t *testing.T) {
	times := []time.Time{utc(1700000000, 123456789), {}, utc(1<<32-1, 0)}
	data := [][]byte{ip(1), nil, make([]byte, MaxPacket)}
	var b bytes.Buffer
	require.NoError(t, WritePcap(&b, packet.LinkSLL2, func(yield func(time.Time, []byte) bool) {
		for i := range times {
			if !yield(times[i], data[i]) {
				return
			}
		}
	}))
	got, err := readAll(t, &b)
	require.Equal(t, io.EOF, err)
	require.Len(t, got, len(data))
	for i, rec := range got {
		want := times[i]
		if want.IsZero() {
			want = utc(0, 0)
		}
		require.Equal(t, want, rec.Time)
		require.True(t, bytes.Equal(data[i], rec.Data))
		require.Equal(t, len(data[i]), rec.Wire)
		require.Equal(t, packet.LinkSLL2, rec.Link)
	}
}

func TestWritePcapRefuses(t *testing.T) {
	write := func(w io.Writer, at time.Time, data []byte) error {
		return WritePcap(w, packet.LinkRaw, func(yield func(time.Time, []byte) bool) { yield(at, data) })
	}
	require.ErrorIs(t, write(io.Discard, utc(0, 0), make([]byte, MaxPacket+1)), rules.ErrLimit)
	require.ErrorContains(t, write(io.Discard, utc(-1, 0), nil), "packet 1")
	require.ErrorContains(t, write(io.Discard, utc(1<<32, 0), nil), "cannot hold the time")
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	require.ErrorIs(t, write(w, utc(0, 0), nil), io.ErrClosedPipe)
	require.ErrorIs(t, write(w, utc(0, 0), make([]byte, 2*bufferSize)), io.ErrClosedPipe)
}

// FuzzSource feeds any bytes to the whole way from a file to keys.
func FuzzSource(f *testing.F) {
	le := binary.LittleEndian
	f.Add(pcapRecord(le, pcapHeader(le, 0xa1b2c3d4, 101), 0, 0, ip(1), 41))
	f.Add(pcapRecord(binary.BigEndian, pcapHeader(binary.BigEndian, 0xa1b23c4d, 1), 0, 0, make([]byte, 60), 60))
	for _, o := range orders {
		g := (&ng{o: o}).section()
		g.iface(101, 0, g.option(g.option(nil, 9, []byte{9}), 2, []byte("eth0")))
		g.enhanced(0, 5, ip(1), 41, g.option(nil, 2, o.AppendUint32(nil, 1))).simple(ip(2), 42)
		f.Add(slices.Clone(g.b))
	}
	f.Add([]byte("src,dst\n10.0.0.1,::1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		src, _, err := NewSource(bytes.NewReader(data), rules.Firewall, Options{})
		if err != nil {
			return
		}
		k := rules.Firewall.NewKey()
		for n := 1; ; n++ {
			info, err := src.Next(k)
			var one *PacketError
			if err != nil && !errors.As(err, &one) {
				return
			}
			require.Equal(t, n, info.Number)
			if err == nil && !info.Outside {
				require.NoError(t, rules.Firewall.CheckKey(k))
			}
		}
	})
}

func TestFramesThatAreNotIPAreToldFromDamagedOnes(t *testing.T) {
	le := binary.LittleEndian
	arp := append(make([]byte, 12), 0x08, 0x06)
	b := pcapRecord(le, pcapHeader(le, 0xa1b2c3d4, 1), 0, 0, append(arp, make([]byte, 28)...), 42)
	r, err := NewReader(bytes.NewReader(b), "")
	require.NoError(t, err)
	require.Equal(t, Pcap, r.Format())
	_, err = NewPackets(r, rules.IPv4Tuple, Options{}).Next(rules.IPv4Tuple.NewKey())
	require.ErrorIs(t, err, packet.ErrNotIP)
	require.NotErrorIs(t, err, packet.ErrMalformed)
	require.EqualError(t, err, "input: packet 1 at byte 24: not an IP packet: EtherType is neither IPv4 nor IPv6")
}

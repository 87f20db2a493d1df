package capture

// Writing pcap files, for demonstrations and benchmarks.

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// WritePcap writes packets with their times as a pcap file of the link type,
// with nanoseconds. The zero Time is written as 1970. Times before 1970 or
// after 2106 and packets above MaxPacket bytes cannot be written. The packets
// need to stay unchanged only until the next one is asked for.
func WritePcap(w io.Writer, link packet.LinkType, packets iter.Seq2[time.Time, []byte]) error {
	out := bufio.NewWriterSize(w, bufferSize)
	pw := pcapgo.NewWriterNanos(out)
	if err := pw.WriteFileHeader(MaxPacket, layers.LinkType(link)); err != nil {
		return err
	}
	number := 0
	for t, data := range packets {
		number++
		if len(data) > MaxPacket {
			return fmt.Errorf("packet %d: %d bytes: %w: at most %d", number, len(data), rules.ErrLimit, MaxPacket)
		}
		if t.IsZero() {
			t = time.Unix(0, 0)
		}
		if s := t.Unix(); s < 0 || s > 1<<32-1 {
			return fmt.Errorf("packet %d: a pcap file cannot hold the time %v", number, t.UTC())
		}
		if err := pw.WritePacket(gopacket.CaptureInfo{Timestamp: t, CaptureLength: len(data), Length: len(data)}, data); err != nil {
			return err
		}
	}
	return out.Flush()
}

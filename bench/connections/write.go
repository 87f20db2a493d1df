package connections

// Where packets go: into a pcap file, or into a device in their own time.

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
)

// Link is what stands in front of the IP packets of a capture.
type Link uint8

// The links.
const (
	Ethernet Link = iota
	Raw           // nothing
)

// ParseLink returns the link of a name, ethernet or raw.
func ParseLink(s string) (Link, error) {
	switch s {
	case "ethernet":
		return Ethernet, nil
	case "raw":
		return Raw, nil
	}
	return 0, fmt.Errorf("%q is unknown; links are ethernet and raw", s)
}

// every is how many packets go by between two looks at the context.
const every = 1024

// WritePcap writes the packets that are left as a pcap file with nanoseconds.
// The run begins at start, from 1970 on; a packet after 2106 is an error, as the
// format has no such times. It ends early, with the context's error, when the
// context has ended. at is called now and then with the number of connections
// begun; it may be nil.
func (g *Generator) WritePcap(ctx context.Context, w io.Writer, link Link, start time.Time, at func(begun int64)) error {
	var ended error
	var packets iter.Seq2[time.Time, []byte] = func(yield func(time.Time, []byte) bool) {
		for p := range g.All() {
			if g.stats.Packets%every == 0 {
				if ended = ctx.Err(); ended != nil {
					return
				}
				if at != nil {
					at(g.stats.Begun)
				}
			}
			data := p.Data
			if link == Ethernet {
				data = p.frame
			}
			if !yield(start.Add(p.Time), data) {
				return
			}
		}
	}
	kind := packet.LinkEthernet
	if link == Raw {
		kind = packet.LinkRaw
	}
	if err := capture.WritePcap(w, kind, packets); err != nil {
		return err
	}
	return ended
}

// Play writes the packets that are left, each with one call of Write, in their
// own time: speed is how much faster than that, 0 as fast as w takes them. The
// context and at are as in WritePcap.
func (g *Generator) Play(ctx context.Context, w io.Writer, speed float64, at func(begun int64)) error {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range g.All() {
		if g.stats.Packets%every == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if at != nil {
				at(g.stats.Begun)
			}
		}
		if speed > 0 {
			// What is due within the resolution of timers goes at once.
			due := time.Duration(float64(p.Time) / speed)
			if wait := due - time.Since(began); wait > 100*time.Microsecond {
				timer.Reset(wait)
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-timer.C:
				}
			}
		}
		if _, err := w.Write(p.Data); err != nil {
			return err
		}
	}
	return nil
}

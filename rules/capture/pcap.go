package capture

// pcap: a file header of 24 bytes, then records of a 16-byte header and data.

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/hipac-go/classifier/rules/packet"
)

func (r *Reader) openPcap() error {
	var h [24]byte
	if err := r.in.full(h[:]); err != nil {
		return noPacket(r.broken(0, "the file header", err))
	}
	r.order, r.unit = binary.BigEndian, 1000
	switch binary.BigEndian.Uint32(h[:]) {
	case magicMicroSwapped:
		r.order = binary.LittleEndian
	case magicNanoSwapped:
		r.order, r.unit = binary.LittleEndian, 1
	case magicNano:
		r.unit = 1
	}
	if major, minor := r.order.Uint16(h[4:]), r.order.Uint16(h[6:]); major != 2 || minor != 4 {
		return noPacket(r.fail(4, nil, "pcap version %d.%d is not supported, only 2.4", major, minor))
	}
	// The low 16 bits are the link type; those from 26 on say how long the frame
	// check sequence is, which the IP length leaves out anyway.
	network := r.order.Uint32(h[20:])
	r.link = packet.LinkType(network & 0xffff)
	if network&0x03ff0000 != 0 {
		r.link = packet.LinkType(network & 0x03ffffff)
	}
	if !r.link.Supported() {
		return noPacket(r.fail(20, packet.ErrLinkType, "link type %d is not supported", uint32(r.link)))
	}
	return nil
}

func (r *Reader) nextPcap() (Record, error) {
	at := r.in.at
	end, err := r.in.atEnd()
	if end {
		return Record{}, io.EOF
	}
	if err != nil {
		return Record{}, r.broken(at, "a record header", err)
	}
	h := r.header[:16]
	if err := r.in.full(h); err != nil {
		return Record{}, r.broken(at, "a record header", err)
	}
	data, err := r.data(at, r.order.Uint32(h[8:]), "the packet's data")
	if err != nil {
		return Record{}, err
	}
	return Record{
		Offset: at,
		Time:   time.Unix(int64(r.order.Uint32(h)), int64(r.order.Uint32(h[4:]))*r.unit).UTC(),
		Data:   data,
		Wire:   max(int(r.order.Uint32(h[12:])), len(data)),
		Link:   r.link,
	}, nil
}

package packet

// Rewriting: packets whose headers change on their way, as targets that
// translate addresses or set a TTL change them. The bytes that a packet was
// decoded from belong to the caller and stay as they are: what is changed is a
// copy.

// Rewrite copies the packet's bytes into buf, which grows when it has no room
// for them, and makes the copy the bytes of p. It returns the copy, from the
// IP header on, to be changed in place, and nil for a packet that was not
// decoded from bytes. p's exported fields do not follow such changes. O(length
// of the packet).
func (p *Packet) Rewrite(buf []byte) []byte {
	n := p.Captured()
	if n == 0 {
		return nil
	}
	if cap(buf) < n {
		buf = make([]byte, n, n+n/4)
	}
	buf = buf[:n]
	k := copy(buf, p.data)
	p.rest.gather(0, buf[k:])
	p.data, p.rest = buf, nil
	return buf
}

// Header returns the offset of the transport header of the given protocol from
// the IP header, and whether the packet has one: it is of that protocol and not
// a later fragment.
func (p *Packet) Header(proto uint8) (at int, ok bool) {
	at, n := p.header(proto)
	return at, n == 1
}

// Replace makes b the bytes of p, from the IP header on: a copy made by
// Rewrite that has grown or shrunk since.
func (p *Packet) Replace(b []byte) {
	p.data, p.rest, p.End = b, nil, p.NetOffset+len(b)
}

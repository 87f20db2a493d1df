// Package ipset reads the sets that "ipset save" writes, answers which packets
// are in them as the kernel does, and writes them back: every type of set that
// rules can ask for with "-m set", with timeouts, counters, comments, exceptions
// ("nomatch") and the values that "-j SET --map-set" gives to a packet.
//
// # Membership
//
// A set has up to three dimensions: addresses, ports, marks, interfaces,
// Ethernet addresses. A rule says for each of them whether the packet's source
// or its destination is meant. With fewer directions than the set has
// dimensions nothing matches; more are ignored. Sets of one family hold no
// packet of the other.
//
//   - In sets with networks the most specific one that contains the packet
//     decides, and an exception among them says no.
//   - Ports are those of TCP, UDP, UDPLite and SCTP, or type and code of ICMP;
//     a packet of another protocol has the port 0. Later fragments and packets
//     that are cut inside the header have none. bitmap:port looks at TCP and
//     UDP only.
//   - The address of all zeros, after masking, is in no hash:ip.
//   - In hash:net,iface the most specific network that has any entry decides,
//     whatever its interface; entries of ports of bridges (physdev) are in no
//     packet's way, as rules have no means to ask for them.
//   - In list:set the first member that holds the packet decides.
//
// A Set is not safe for concurrent use when it is changed, or has counters;
// Clone makes another. Sources: ipset(8) and the behaviour of Linux 6.18 with
// ipset 7.17.
package ipset

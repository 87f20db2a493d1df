// Package connections makes the packets of connections: both directions, in the
// order of time over all connections, with right headers, checksums, sequence
// and acknowledgement numbers, over IPv4 or IPv6. Packets that are merely drawn
// one by one do not suit a stateful filter, which drops most of them; these are
// those that real ends would send to each other.
//
// A [Generator] makes them one after the other, the same ones for the same
// [Config] on every machine:
//
//	g, err := connections.New(connections.Config{
//		Profiles: []connections.Weighted{{Profile: connections.Ready()[0], Weight: 1}},
//		Count:    10_000,
//	})
//	for {
//		p, ok := g.Next() // p.Data is an IP packet, valid until the next call
//		...
//	}
//
// [Generator.WritePcap] writes them to a pcap file and [Generator.Play] into a
// [TUN] device. The command "bench gen connections" does both.
//
// Connections under way are in a heap by the time of their next packet; others
// take no memory. There are no goroutines.
//
// # Profiles
//
// A profile says what connections of one kind are like. There are ten ready ones
// (http, https, dns, ssh, ntp, smtp, bulk, voip, scan, synflood), in the same
// format as a user's own:
//
//	# A page: a request, a moment of thought, an answer of some 10 kB.
//	http: tcp, port 80, 500 bytes one way, think 5ms-50ms, 10000 back,
//	    handshake and teardown by server, payload http
//
//	game: udp, port 27000-27050, 40-90 one way, 200 back,
//	    172 both ways every 50ms for 10s-60s, loss 0.5%, rtt about 40ms
//
// A profile is a name, a colon and items with commas between them. It goes on
// over lines that are indented; # begins a comment. The first item is tcp, udp
// or icmp. The script is the items of these forms, in their order:
//
//	500 bytes one way                       the client sends so much ("bytes" may be left out)
//	10k back                                the server does
//	think 20ms                              a pause before the next message
//	5-10 times (40 one way, 200 back)       a part of the script several times
//	172 both ways every 20ms for 5s-30s     udp: both send packets for so long
//
// Sizes, pauses and numbers of times are numbers, ranges (200-400: uniform) or
// means (about 300: exponentially distributed), drawn anew each time. Sizes may
// have k, M and G for powers of 1000. In icmp a message one way is an echo
// request, which is answered by itself. In tcp the script may be empty.
//
// The other items may stand anywhere, each once; in brackets what holds without
// them:
//
//	port 80 443 8000-8100 [in turn]     of the server; in turn: the n-th connection takes the n-th
//	source port 1024-65535              of the client [32768-60999]
//	handshake, no handshake             tcp: whether the beginning is seen [handshake]
//	half open                           tcp: the SYN-ACK is not answered
//	half open with reset                tcp: it is answered by a reset
//	teardown by client                  tcp: or server, reset; or "no teardown" [client]
//	packets of 160 bytes                payload in a packet, at most [what the MTU holds]
//	payload http                        letters, random, http, tls, ssh, smtp, dns, ntp, rtp [letters]
//	refused 90%                         connections that are answered by a reset, or port unreachable
//	silent 5%                           that nobody answers
//	unreachable 1%                      that a router answers with host unreachable
//	time exceeded 1%                    that end in a loop of routers
//	reset 2%                            tcp: that end by a reset at a random point
//	loss 1%                             packets that are lost
//	fragments 10% of 576 bytes          connections in fragments of that size [576, IPv6 1280]
//	path mtu 1400 in 10%                connections over a path that carries no more
//	rtt 20ms                            round-trip time, a quantity [5ms-80ms]
//	speed 100 mbit                      at which an end sends: kbit, mbit, gbit [1 gbit]
//	window 10 packets                   tcp: packets under way, 1 to 64 [10]
//	tries 5                             how often something is sent [tcp 5, others 1]
//	timeout 1s                          before the SYN, or a question, is sent again [1s]
//
// "handshake and teardown by server" is two items in one. An item that is none
// of these is an error, with file, line, and the items near it. The text is UTF-8,
// with a byte order mark or without.
//
// # What is modelled
//
// The observer is a firewall between clients and servers, somewhere from 10 to 90
// percent of the way. Times are those at which it sees packets. Of a connection's
// source ports the n-th takes one far from that before it; no two connections
// under way have the same addresses and ports, and one for which there are none
// left waits until another ends, as does one above Config.MaxLive.
//
// TCP. A SYN carries MSS and window scale. A sender has one flight of packets
// under way, as many as the window says, and sends the next when all are
// acknowledged. A receiver acknowledges every second packet, the last one of a
// flight, and at once what is not in order; an odd one after 40 ms. One end closes
// when the script is over; the other's FIN comes with its acknowledgement or, in
// half of the connections, right behind it.
//
// Loss. Each packet is lost with the profile's chance, half of them before the
// observer, who does not see these, and half behind. Of a packet in fragments
// that is lost before the observer one fragment is missing. A lost SYN is sent
// again after the timeout, doubled with each try. Lost data is sent again after
// three duplicate acknowledgements and at each partial one (NewReno without
// SACK), else after the larger of 200 ms and two round-trip times, doubled with
// each try. A lost SYN-ACK is sent again when the SYN is, a lost last packet of
// the handshake is made good by what the client says, and where it says nothing
// the SYN-ACK comes again. FINs are sent again as data is. After the last try an
// end is silent. In UDP and ICMP a question (a message one way with one back
// behind it) is asked again after the timeout, when any packet of it or of the
// answer was lost; other messages are not sent again.
//
// Resets. The point is drawn uniformly over the script's messages, and in the
// message over its bytes, up to the end of a flight; either end resets with the
// same chance. A lost reset is not repeated.
//
// Errors. Refused UDP gets port unreachable from the server and ends by it; a
// refused echo request is administratively prohibited by a router. Unreachable
// connections get host unreachable from a router, which ends UDP and ICMP, while
// TCP tries on (RFC 1122, 4.2.3.9). Where the time is exceeded, the TTL at the
// observer is small and a router answers every try. On a narrow path a router
// answers packets that are too long with "fragmentation needed" or "packet too
// big"; the end then sends smaller segments, or UDP in fragments. Errors quote
// the packet as their sender has seen it, up to 576 bytes in IPv4 and 1280 in
// IPv6 (RFC 1812, 4443), and go through the same loss. Routers have addresses of
// the networks for benchmarks (RFC 2544, 5180).
//
// Fragments. Packets above the MTU, and all above the fragment size in the share
// of connections that says so, come in fragments, in order. In IPv4 all other
// packets have the flag DF.
//
// Payloads look like their protocol so far that a dissector finds nothing
// malformed: an HTTP head with the right length, TLS records, DNS messages with a
// matching name.
//
// # Reading it with other tools
//
// Where packets are lost, tshark puts the pieces of a stream together by itself
// only with -o tcp.reassemble_out_of_order:TRUE; without, it calls retransmissions
// malformed. It also holds the checksum of a packet that an ICMP error quotes in
// part against that part.
//
// In what tcpdump -v prints, "bad" stands in checksums and IPv6 addresses too, by
// chance: grep -w finds the word.
//
// # What is not modelled
//
// Congestion control, and queues: the window stays as it is and delay does not
// vary. SACK, timestamps, keep-alives, window probes, simultaneous open and close,
// reordering, duplication, IP options, tunnels. ICMP errors change no path but
// its MTU. Both families in one run.
package connections

// Package cisco reads the IPv4 access lists of Cisco IOS and IOS XE: from a
// configuration as `show running-config` prints it, and from what
// `show ip access-lists` prints, with hit counts.
//
// Every list becomes a rules.List of [Schema] whose values are the verdicts
// [Permit] and [Deny]. The first entry that matches decides; the implicit deny of
// IOS is a last rule of its own, unless an entry takes every packet. The comment of
// a rule is the entry as it is written, with its sequence number if it has one, and
// the remarks in front of it; List.Lines says which line that is. Comments have no
// numbers of lines: a rule stays the same rule when lines in front of it change.
//
// Sources of what is here: Cisco IOS Security Command Reference (access-list (IP
// extended), ip access-list, permit (IP), deny (IP), object-group; releases 12.4
// to 17); Access Control Lists and IP Fragments (document 8014); Creating an IP
// Access List to Filter IP Options, TCP Flags, Noncontiguous Ports, or TTL Values;
// Object Groups for ACLs (15.1); IP Access List Entry Sequence Numbering; IP Access
// List Overview. Names of ports and messages are those that `permit tcp any any eq
// ?` and the like show.
//
// # What is modelled
//
//	ip access-list extended NAME     lists with names or numbers, and their entries
//	ip access-list standard NAME     source addresses alone
//	access-list 100-199, 2000-2699   extended
//	access-list 1-99, 1300-1999      standard
//	[SEQUENCE] permit|deny           in the order of the sequence numbers; an entry
//	                                 without gets the last one and 10 more
//	remark                           goes to the comment of the entry behind it
//	protocols                        names of IOS, numbers 1-255; ip is every one
//	any, host A, A WILDCARD          wildcards may have holes
//	object-group NAME                as an address: a network group of the same
//	                                 file; as the protocol: a service group
//	eq, neq                          up to ten ports, or names that IOS has
//	lt, gt, range                    of ports; of tcp and udp
//	established                      ACK or RST
//	match-all, match-any +F -F       ack fin psh rst syn urg; one flag alone, too
//	ICMP types and codes             numbers, or names that IOS has
//	dscp, precedence, tos            numbers and names
//	ttl eq|neq|lt|gt|range           of the IP header
//	fragments                        fragments other than the first
//	log, log-input                   with or without a word for the log; they change
//	                                 no verdict, and stay in the comment
//	object-group network             host, range, any, A MASK, A /LENGTH,
//	                                 group-object; masks are those of networks, no
//	                                 wildcards
//	object-group service             protocols, [source] ports of tcp, udp and
//	                                 tcp-udp, icmp messages, group-object
//
// Ports, flags and messages are not in fragments other than the first. As IOS does
// it, a permit that asks for them matches such fragments by the rest of what it
// asks for, and a deny that asks for them does not match: a permit becomes two
// rules, of which the second one is for those fragments, unless an earlier rule asks
// for the same, or for less. A first fragment, or a packet, that is too short for its
// ports matches no entry that asks for them.
//
// A list without entries permits everything where it is applied, and is a list of
// one rule that says so. A list answers for packets that it sees: IOS does not ask
// the lists of an interface about packets that the router itself sends.
//
// # What is refused
//
// These are errors that wrap rules.ErrUnsupported, all of a file at once, with
// line, column and reason:
//
//   - time-range; reflect, evaluate and Reflexive lists; dynamic and timeout;
//     tracked
//   - option (of the IP header); types of igmp; ports of sctp; protocol 0
//   - several flags without match-any or match-all
//   - addrgroup, portgroup, fqdn-group, interface and the like as addresses or ports
//   - names of hosts in network groups; groups of other kinds, when an entry names
//     them: v6-network, v6-service, fqdn, security, identity, local, ip address, ip
//     port
//   - access lists of IPv6, MAC, ARP, role-based, FQDN and rate-limit, and numbers of
//     other protocols
//   - ip access-list resequence and hardware; no and default in front of what is
//     read: this reads a configuration as it is, not a change to one
//
// With Options.List only what that list needs is looked at: errors in the entries
// of other lists, and in groups that it does not name, do not matter then.
//
// Whatever begins like an access list and is not understood is an error, also when
// it is abbreviated (access-l, ip acce), or belongs to an ASA (access-list with a
// name): an entry outside of any list, for instance, or an indented line in a list
// that is no entry.
//
// # What is passed over
//
// Lines that are about something else:
//
//   - blank lines, and lines that begin with '!'
//   - ip access-list logging, log-update, persistent, helper and match-local-traffic;
//     access-list compiled and dynamic-extended: they do not say what is in a list
//   - banners, between their marks
//   - all other commands that are not indented, and the indented lines behind them;
//     among these are the uses of lists, such as access-group, access-class and match
//     access-group. Indented lines that begin with permit or deny, or with a number
//     and one of these, are passed over only behind ip as-path, ip community-list, ip
//     extcommunity-list, ip prefix-list, ipv6 prefix-list, cts, parser view and
//     policy-map; elsewhere they are an error
package cisco

// Package aws reads the security groups and the network ACLs of Amazon EC2, as the
// AWS command line prints them in JSON. A file holds one document or several, one
// behind the other:
//
//	aws ec2 describe-security-groups
//	aws ec2 describe-network-acls
//	aws ec2 describe-network-interfaces
//	aws ec2 describe-prefix-lists
//	aws ec2 describe-managed-prefix-lists --prefix-list-ids ID
//	aws ec2 get-managed-prefix-list-entries --prefix-list-id ID
//
// Network interfaces are needed where rules name other security groups, and prefix
// lists where rules name them. The entries of a managed prefix list do not say
// whose they are: they are those of the list that the document in front of them
// describes alone, or of the member PrefixListId of their own document, which is to
// be added, as with jq '.PrefixListId = "pl-0a1b"'.
//
// # The lists
//
// Every security group and every network ACL is two lists, of [Schema], whose values
// are the verdicts [Allow] and [Deny]: "sg-0a1b/ingress" and "sg-0a1b/egress",
// "acl-0a1b/ingress" and "acl-0a1b/egress". A rule of a security group is a rule for
// each of its ranges, groups and prefix lists; its comment says what it is about,
// from or to where, and has the description. The entries of a network ACL have the
// order of their numbers. The implicit deny is a last rule of its own, unless other
// rules take all packets of both families. A network ACL has it as entries, which are
// shown with the number * (32767, and 32768 for IPv6): they are rules, unless others
// take all packets of their family, and the last rule is for what they do not take.
//
// Security groups are stateful: A LIST SAYS OF THE FIRST PACKET OF A CONNECTION
// whether it may pass, and packets that belong to a connection that was let through
// pass in both directions whatever the lists say. So there is no field for the
// state of a connection. An interface with several groups lets pass what one of them
// allows.
//
// Network ACLs are stateless: their lists answer for each packet, replies included,
// that enters (ingress) or leaves (egress) the subnet.
//
// Traffic that neither sees - to the DNS resolver of the VPC, DHCP, instance
// metadata, time - is not told apart here.
//
// # What is modelled
//
// Sources: Amazon EC2 API Reference (IpPermission, UserIdGroupPair, NetworkAclEntry,
// IcmpTypeCode, CreateNetworkAclEntry, NetworkInterface, ManagedPrefixList) and AWS
// CLI Command Reference, version 2; Amazon VPC User Guide, "Security groups",
// "Network ACLs", "Prefix lists", as of 2025.
//
//	IpProtocol, Protocol      tcp udp icmp icmpv6, numbers, -1 for all
//	FromPort, ToPort          destination ports of tcp and udp; type and code of icmp
//	                          and icmpv6, -1 for all. Without them: all types of
//	                          icmpv6. With other protocols they say nothing.
//	PortRange, IcmpTypeCode   the same, of entries; icmpv6 with an IPv4 block: all types
//	0-65535                   all packets of the protocol, with ports or without
//	IpRanges, CidrBlock       IPv4 packets alone
//	Ipv6Ranges, Ipv6CidrBlock IPv6 packets alone, also with ::/0
//	UserIdGroupPairs          the private IPv4 and the IPv6 addresses of the network
//	                          interfaces in the group; none, when there are none
//	PrefixListIds             the entries of the prefix list
//	RuleNumber, RuleAction    ascending; the first entry that matches decides
//	fragments                 what is without ports is not matched by rules with ports;
//	                          EC2 does not document it
//
// # What is refused
//
// These are errors that wrap rules.ErrUnsupported, all of a file at once, with line,
// column and reason:
//
//   - a rule that names a group when the file has no network interfaces; groups of
//     other accounts and VPCs when it has none of theirs; peering that is not active
//   - a rule that names a prefix list whose entries are not in the file
//   - prefixes delegated to interfaces of a group that a rule names
//   - IPv4 addresses written as IPv6 ones
//   - security groups without an id
//   - members that are not known, but for network interfaces and prefix lists, of
//     which only the addresses matter; what describe-security-group-rules and other
//     commands print
//
// Output that is not whole, with a NextToken, is an error; so are members of wrong
// kinds, missing ones, numbers out of range, objects and rule numbers that stand
// twice.
//
// With Options.List only what that list needs is looked at: errors in the rules of
// other lists, and in interfaces and prefix lists that it does not name, do not
// matter then.
package aws

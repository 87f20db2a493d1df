package aws

// What the documents of a file say: security groups, network ACLs, network
// interfaces and prefix lists.

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// documents is what a file holds.
type documents struct {
	in   *input
	want string // Options.List
	kept int    // faults

	lists      []*list
	byName     map[string]*list
	owners     map[string]string // of security groups, by their ids
	interfaces map[string]*networkInterface
	members    map[string][]*networkInterface // of security groups
	anyFace    bool                           // there is a document with network interfaces
	prefixes   map[string]*prefixList
	last       *prefixList // the only one of the document before, for its entries
	faults     faults      // of none of these
}

// list is a direction of a security group or of a network ACL.
type list struct {
	name   string
	id     string
	egress bool
	acl    bool
	owner  string // of a security group
	at     int
	perms  []permission
	faults faults
}

// permission is a rule of a security group with all its sources (destinations, in
// egress), or an entry of a network ACL with its only one.
type permission struct {
	at, line int
	number   int // of an entry
	deny     bool
	proto    int // -1: all
	from, to int // ports; with ICMP type and code, -1: all
	narrow   bool
	sources  []source
}

// source is a range of addresses, another group or a prefix list.
type source struct {
	at          *value
	prefix      netip.Prefix
	group, list string
	owner       string // of the group
	foreign     bool   // the group may be one of another VPC
	description string
}

// networkInterface is what is needed of one: its addresses.
type networkInterface struct {
	addresses []netip.Addr
	used      bool
	faults    faults
}

// prefixList is a prefix list.
type prefixList struct {
	id       string
	entries  bool // are known
	prefixes []netip.Prefix
	used     bool
	faults   faults
}

// readers are the members that a document is known by.
var readers = map[string]func(d *documents, doc, v *value){
	"SecurityGroups":    (*documents).securityGroups,
	"NetworkAcls":       (*documents).networkACLs,
	"NetworkInterfaces": (*documents).networkInterfaces,
	"PrefixLists":       (*documents).prefixLists,
	"Entries":           (*documents).prefixListEntries,
}

// IsMember reports whether a document of the formats that Read reads may begin with
// a member of the name.
func IsMember(name string) bool {
	return readers[name] != nil || name == "PrefixListId" || name == "SecurityGroupRules"
}

// read reads all documents of a file.
func (d *documents) read() error {
	for {
		doc, err := d.in.document()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		d.document(doc)
		if len(d.lists) > d.in.limits.MaxChains {
			return d.in.fail(doc.at, "", fmt.Sprintf("more than %d lists", d.in.limits.MaxChains), rules.ErrLimit)
		}
		if d.in.bytes > d.in.limits.MaxMemory {
			return d.in.fail(doc.at, "", fmt.Sprintf("the documents take more than %d bytes of memory", d.in.limits.MaxMemory), rules.ErrLimit)
		}
	}
}

// document reads one, whose tree is not kept.
func (d *documents) document(doc *value) {
	if doc.kind != '{' {
		d.fail(&d.faults, doc, "expected an object, as aws ec2 describe-security-groups prints one, not %s", kinds[doc.kind])
		return
	}
	before := d.last
	d.last = nil
	some := false
	for i := range doc.members {
		m := &doc.members[i]
		switch {
		case readers[m.name] != nil:
			some = true
			if m.name == "Entries" {
				d.last = before
			}
			readers[m.name](d, doc, &m.value)
		case m.name == "NextToken":
			if m.value.kind != 'n' && m.value.text != "" {
				d.fail(&d.faults, &m.value, "the output is not whole: more of it comes with this token, or without --max-items")
			}
		case m.name == "ResponseMetadata":
		case m.name == "PrefixListId" && doc.get("Entries") != nil:
		case m.name == "SecurityGroupRules":
			some = true
			d.noteAt(&d.faults, m.at, m.name, rules.ErrUnsupported, "not modelled: rules one by one; describe-security-groups prints them by group")
		default:
			some = true
			d.noteAt(&d.faults, m.at, m.name, rules.ErrUnsupported, "not modelled: expected SecurityGroups, NetworkAcls, NetworkInterfaces, PrefixLists or Entries")
		}
	}
	if !some {
		d.fail(&d.faults, doc, "nothing in the document: expected SecurityGroups, NetworkAcls, NetworkInterfaces, PrefixLists or Entries")
	}
}

// addList adds a direction of a group or an ACL.
func (d *documents) addList(v *value, id string, egress, acl bool) *list {
	l := &list{name: id + "/ingress", id: strings.Clone(id), egress: egress, acl: acl, at: v.at}
	if egress {
		l.name = id + "/egress"
	}
	l.faults.where = l.name
	d.lists, d.byName[l.name] = append(d.lists, l), l
	d.in.bytes += 300
	return l
}

// securityGroups reads security groups.
func (d *documents) securityGroups(_, v *value) {
	for _, g := range d.items(&d.faults, v) {
		id := d.id(&d.faults, &g, "GroupId")
		if id == "" {
			continue
		}
		if d.byName[id+"/ingress"] != nil {
			d.fail(&d.faults, g.get("GroupId"), "the security group stands twice in the file")
			continue
		}
		d.known(&d.faults, &g, "GroupId", "GroupName", "Description", "OwnerId", "VpcId", "Tags", "SecurityGroupArn", "IpPermissions", "IpPermissionsEgress")
		owner := d.text(&d.faults, g.get("OwnerId"))
		d.owners[id] = owner
		for _, way := range []string{"IpPermissions", "IpPermissionsEgress"} {
			l := d.addList(&g, id, way == "IpPermissionsEgress", false)
			l.owner = owner
			perms := g.get(way)
			if perms == nil {
				d.fail(&l.faults, &g, "%s is missing", way)
			}
			for _, p := range d.items(&l.faults, perms) {
				l.perms = append(l.perms, d.permission(l, p))
				d.in.bytes += 200
			}
		}
	}
}

// permission reads a rule of a security group.
func (d *documents) permission(l *list, v value) permission {
	to := &l.faults
	d.known(to, &v, "IpProtocol", "FromPort", "ToPort", "IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
	p := permission{at: v.at, line: v.line, proto: d.protocol(to, &v, "IpProtocol")}
	from, fromPort := v.get("FromPort"), 0
	upto, toPort := v.get("ToPort"), 0
	ok := false
	switch p.proto {
	case protoTCP, protoUDP, protoICMP, protoICMPv6:
		switch {
		case p.proto == protoICMPv6 && from == nil && upto == nil:
		case from == nil || upto == nil:
			d.fail(to, &v, "FromPort or ToPort is missing, which this protocol needs")
		case p.proto == protoTCP || p.proto == protoUDP:
			if fromPort, ok = d.number(to, from, 0, 65535); ok {
				toPort, ok = d.number(to, upto, 0, 65535)
			}
			if ok && fromPort > toPort {
				d.fail(to, upto, "the range of ports ends below its beginning, %d", fromPort)
			}
		default:
			if fromPort, ok = d.number(to, from, -1, 255); ok {
				toPort, ok = d.number(to, upto, -1, 255)
			}
			if ok && fromPort < 0 && toPort >= 0 {
				d.fail(to, upto, "an ICMP code for all types: FromPort -1 needs ToPort -1")
			}
		}
	}
	p.from, p.to, p.narrow = fromPort, toPort, ok
	for _, r := range d.items(to, v.get("IpRanges")) {
		d.known(to, &r, "CidrIp", "Description")
		p.sources = append(p.sources, source{at: place(&r, ""), prefix: d.prefix(to, &r, "CidrIp", 4), description: d.text(to, r.get("Description"))})
	}
	for _, r := range d.items(to, v.get("Ipv6Ranges")) {
		d.known(to, &r, "CidrIpv6", "Description")
		p.sources = append(p.sources, source{at: place(&r, ""), prefix: d.prefix(to, &r, "CidrIpv6", 6), description: d.text(to, r.get("Description"))})
	}
	for _, r := range d.items(to, v.get("PrefixListIds")) {
		d.known(to, &r, "PrefixListId", "Description")
		p.sources = append(p.sources, source{at: place(&r, "PrefixListId"), list: d.id(to, &r, "PrefixListId"), description: d.text(to, r.get("Description"))})
	}
	for _, r := range d.items(to, v.get("UserIdGroupPairs")) {
		d.known(to, &r, "GroupId", "GroupName", "UserId", "VpcId", "VpcPeeringConnectionId", "PeeringStatus", "Description")
		s := source{at: place(&r, "GroupId"), group: d.id(to, &r, "GroupId"), owner: d.text(to, r.get("UserId")), description: d.text(to, r.get("Description"))}
		s.foreign = d.text(to, r.get("VpcId")) != "" || d.text(to, r.get("VpcPeeringConnectionId")) != ""
		if status := r.get("PeeringStatus"); status != nil && d.text(to, status) != "active" {
			d.refuse(to, status, "a group behind a peering connection that is not active")
		}
		p.sources = append(p.sources, s)
	}
	d.in.bytes += int64(len(p.sources)) * 200
	return p
}

// place keeps what errors need of a member, or of the value when it has none.
func place(v *value, name string) *value {
	if m := v.get(name); m != nil {
		v = m
	}
	return &value{kind: v.kind, at: v.at, line: v.line, text: strings.Clone(v.text)}
}

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// protocol reads a protocol: a number, -1 for all, or one of the names that EC2 has.
func (d *documents) protocol(to *faults, v *value, name string) int {
	text := d.id(to, v, name)
	switch text {
	case "":
		return -1
	case "tcp":
		return protoTCP
	case "udp":
		return protoUDP
	case "icmp":
		return protoICMP
	case "icmpv6":
		return protoICMPv6
	}
	n, ok := whole(text)
	if !ok || n < -1 || n > 255 || text == "-0" {
		d.fail(to, v.get(name), "expected a protocol: tcp, udp, icmp, icmpv6, a number from 0 to 255, or -1 for all")
	}
	return n
}

// prefix reads a CIDR block of a family.
func (d *documents) prefix(to *faults, v *value, name string, family int) netip.Prefix {
	text := d.id(to, v, name)
	if text == "" {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4() != (family == 4):
		d.fail(to, v.get(name), "expected a CIDR block of IPv%d", family)
		return netip.Prefix{}
	case p.Addr().Is4In6() && p.Bits() >= 96:
		d.refuse(to, v.get(name), "IPv4 addresses that are written as IPv6 ones")
		return netip.Prefix{}
	}
	return p.Masked()
}

// networkACLs reads network ACLs.
func (d *documents) networkACLs(_, v *value) {
	for _, a := range d.items(&d.faults, v) {
		id := d.id(&d.faults, &a, "NetworkAclId")
		if id == "" {
			continue
		}
		if d.byName[id+"/ingress"] != nil {
			d.fail(&d.faults, a.get("NetworkAclId"), "the network ACL stands twice in the file")
			continue
		}
		d.known(&d.faults, &a, "NetworkAclId", "Associations", "Entries", "IsDefault", "OwnerId", "Tags", "VpcId")
		in, out := d.addList(&a, id, false, true), d.addList(&a, id, true, true)
		if a.get("Entries") == nil {
			d.fail(&d.faults, &a, "Entries is missing")
		}
		for _, e := range d.items(&d.faults, a.get("Entries")) {
			egress := e.get("Egress")
			if egress == nil || egress.kind != 't' {
				d.fail(&d.faults, &e, "Egress is missing, or not true or false")
				continue
			}
			l := in
			if egress.text == "true" {
				l = out
			}
			l.perms = append(l.perms, d.entry(l, e))
			d.in.bytes += 300
		}
		for _, l := range []*list{in, out} {
			slices.SortStableFunc(l.perms, func(a, b permission) int { return a.number - b.number })
			for i := range l.perms[min(1, len(l.perms)):] {
				if p := &l.perms[i+1]; p.number > 0 && p.number == l.perms[i].number {
					d.noteAt(&l.faults, p.at, fmt.Sprint(p.number), nil, "the rule number stands twice")
				}
			}
		}
	}
}

// entry reads an entry of a network ACL.
func (d *documents) entry(l *list, v value) permission {
	to := &l.faults
	d.known(to, &v, "CidrBlock", "Ipv6CidrBlock", "Egress", "IcmpTypeCode", "PortRange", "Protocol", "RuleAction", "RuleNumber")
	p := permission{at: v.at, line: v.line, proto: d.protocol(to, &v, "Protocol")}
	switch action := d.id(to, &v, "RuleAction"); action {
	case "allow", "":
	case "deny":
		p.deny = true
	default:
		d.fail(to, v.get("RuleAction"), "expected allow or deny")
	}
	if n := v.get("RuleNumber"); n == nil {
		d.fail(to, &v, "RuleNumber is missing")
	} else {
		p.number, _ = d.number(to, n, 1, lastNumber+1)
	}
	four, six := v.get("CidrBlock"), v.get("Ipv6CidrBlock")
	s := source{at: place(&v, "")}
	switch {
	case (four == nil) == (six == nil):
		d.fail(to, &v, "expected one of CidrBlock and Ipv6CidrBlock")
	case four != nil:
		s.prefix = d.prefix(to, &v, "CidrBlock", 4)
	default:
		s.prefix = d.prefix(to, &v, "Ipv6CidrBlock", 6)
	}
	p.sources = []source{s}
	ports, icmp := v.get("PortRange"), v.get("IcmpTypeCode")
	switch {
	case p.proto == protoTCP || p.proto == protoUDP:
		p.from, p.to, p.narrow = d.pair(to, &v, ports, "PortRange", "From", "To", 0, 65535)
		if p.narrow && p.from > p.to {
			d.fail(to, ports.get("To"), "the range of ports ends below its beginning, %d", p.from)
		}
	case p.proto == protoICMP, p.proto == protoICMPv6 && six != nil:
		p.from, p.to, p.narrow = d.pair(to, &v, icmp, "IcmpTypeCode", "Type", "Code", -1, 255)
		if p.narrow && p.from < 0 && p.to >= 0 {
			d.fail(to, icmp.get("Code"), "an ICMP code for all types: Type -1 needs Code -1")
		}
	}
	return p
}

// pair reads an object with two numbers.
func (d *documents) pair(to *faults, entry, v *value, name, first, second string, least, most int) (a, b int, ok bool) {
	if v == nil {
		d.fail(to, entry, "%s is missing, which this protocol needs", name)
		return 0, 0, false
	}
	if v.kind != '{' {
		d.fail(to, v, "expected an object, not %s", kinds[v.kind])
		return 0, 0, false
	}
	d.known(to, v, first, second)
	for _, m := range []string{first, second} {
		if v.get(m) == nil {
			d.fail(to, v, "%s is missing", m)
			return 0, 0, false
		}
	}
	if a, ok = d.number(to, v.get(first), least, most); ok {
		b, ok = d.number(to, v.get(second), least, most)
	}
	return a, b, ok
}

// lastNumber is that of the entry that is shown as '*'; one more with IPv6.
const lastNumber = 32767

// networkInterfaces reads the addresses of network interfaces.
func (d *documents) networkInterfaces(_, v *value) {
	d.anyFace = true
	for _, v := range d.items(&d.faults, v) {
		id := d.id(&d.faults, &v, "NetworkInterfaceId")
		if id == "" {
			continue
		}
		if d.interfaces[id] != nil {
			d.fail(&d.faults, v.get("NetworkInterfaceId"), "the network interface stands twice in the file")
			continue
		}
		n := &networkInterface{faults: faults{where: id}}
		to := &n.faults
		d.interfaces[id] = n
		n.add(d, to, v.get("PrivateIpAddress"), 4)
		for _, a := range d.items(to, v.get("PrivateIpAddresses")) {
			n.add(d, to, a.get("PrivateIpAddress"), 4)
		}
		for _, a := range d.items(to, v.get("Ipv6Addresses")) {
			n.add(d, to, a.get("Ipv6Address"), 6)
		}
		for _, name := range []string{"Ipv4Prefixes", "Ipv6Prefixes"} {
			if p := v.get(name); p != nil && len(p.items) > 0 {
				d.refuse(to, p, "prefixes that are delegated to an interface: whether rules that name its group are about them is not documented")
			}
		}
		for _, g := range d.items(to, v.get("Groups")) {
			if group := d.id(to, &g, "GroupId"); group != "" {
				d.members[group] = append(d.members[group], n)
			}
		}
		d.in.bytes += int64(300 + 32*len(n.addresses))
	}
}

// add adds an address, if there is one.
func (n *networkInterface) add(d *documents, to *faults, v *value, family int) {
	text := d.text(to, v)
	if v == nil || v.kind != '"' {
		return
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4() != (family == 4) || a.Is4In6() || a.Zone() != "" {
		d.fail(to, v, "expected an address of IPv%d", family)
		return
	}
	n.addresses = append(n.addresses, a)
}

// prefixLists reads prefix lists, with their entries or without.
func (d *documents) prefixLists(doc, v *value) {
	items := d.items(&d.faults, v)
	for _, v := range items {
		id := d.id(&d.faults, &v, "PrefixListId")
		if id == "" {
			continue
		}
		p := d.prefixList(id)
		if len(items) == 1 && doc.get("Entries") == nil {
			d.last = p
		}
		cidrs := v.get("Cidrs")
		if cidrs == nil {
			continue
		}
		if cidrs.kind != '[' {
			d.fail(&p.faults, cidrs, "expected an array, not %s", kinds[cidrs.kind])
			continue
		}
		if d.entriesOf(p, &v) {
			for i := range cidrs.items {
				d.addPrefix(p, &cidrs.items[i])
			}
		}
	}
}

// prefixListEntries reads the entries of a prefix list: of the one that the document
// names, or of the only one of the document before.
func (d *documents) prefixListEntries(doc, v *value) {
	p := d.last
	if m := doc.get("PrefixListId"); m != nil {
		p = nil
		if id := d.text(&d.faults, m); id != "" {
			p = d.prefixList(id)
		}
	}
	d.last = nil
	if p == nil {
		d.fail(&d.faults, v, "entries of a prefix list that nothing names: expected a member PrefixListId in the same document, or in front of it what describe-managed-prefix-lists prints of that list alone")
		return
	}
	items := d.items(&p.faults, v)
	if !d.entriesOf(p, v) {
		return
	}
	for _, e := range items {
		d.known(&p.faults, &e, "Cidr", "Description")
		c := e.get("Cidr")
		if c == nil {
			d.fail(&p.faults, &e, "Cidr is missing")
			continue
		}
		d.addPrefix(p, c)
	}
}

func (d *documents) prefixList(id string) *prefixList {
	p := d.prefixes[id]
	if p == nil {
		p = &prefixList{id: strings.Clone(id), faults: faults{where: strings.Clone(id)}}
		d.prefixes[p.id] = p
		d.in.bytes += 200
	}
	return p
}

// entriesOf notes that the entries of a list are known, which must not be so before.
func (d *documents) entriesOf(p *prefixList, v *value) bool {
	if p.entries {
		d.fail(&p.faults, v, "the entries of the prefix list stand twice in the file")
		return false
	}
	p.entries = true
	return true
}

// addPrefix adds an entry of a prefix list.
func (d *documents) addPrefix(p *prefixList, v *value) {
	family := 4
	if strings.Contains(v.text, ":") {
		family = 6
	}
	prefix := d.prefix(&p.faults, &value{kind: '{', at: v.at, members: []member{{name: "Cidr", at: v.at, value: *v}}}, "Cidr", family)
	if prefix.IsValid() {
		p.prefixes = append(p.prefixes, prefix)
		d.in.bytes += 32
	}
}

package aws

// What lists say of packets: a table written from the documentation, and random
// documents, which a second reader takes apart with encoding/json and asks about
// packets without making rules.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// seen is a packet.
type seen struct {
	src, dst   netip.Addr
	proto      int
	header     bool // that of its protocol is there: not in later fragments
	dport      int
	kind, code int // of ICMP
}

func (p *seen) key() rules.Key {
	k := Schema.NewKey()
	for i := range Schema.Len() {
		Schema.SetAbsent(k, i)
	}
	Schema.Set(k, src, rules.Addr16(p.src))
	Schema.Set(k, dst, rules.Addr16(p.dst))
	Schema.Set(k, proto, rules.U64(uint64(p.proto)))
	if !p.header {
		return k
	}
	switch p.proto {
	case 6, 17:
		Schema.Set(k, Schema.MustIndex("sport"), rules.U64(40000))
		Schema.Set(k, dport, rules.U64(uint64(p.dport)))
	case 1, 58:
		Schema.Set(k, icmptype, rules.U64(uint64(p.kind)))
		Schema.Set(k, icmpcode, rules.U64(uint64(p.code)))
	}
	return k
}

func packet(from, to string, proto int, rest ...int) *seen {
	p := &seen{src: netip.MustParseAddr(from), dst: netip.MustParseAddr(to), proto: proto}
	if len(rest) > 0 {
		p.header, p.dport, p.kind = true, rest[0], rest[0]
	}
	if len(rest) > 1 {
		p.code = rest[1]
	}
	return p
}

func TestListsDecideAsEC2DocumentsThem(t *testing.T) {
	for _, tt := range []struct {
		file, list string
		packet     *seen
		comment    string // of the rule that decides
	}{
		{"groups.json", "sg-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 6, 80), "sg-0aaa1 ingress tcp 80 from 0.0.0.0/0"},
		{"groups.json", "sg-0aaa1/ingress", packet("2001:db8::9", "2001:db8:1::10", 6, 80), "sg-0aaa1 ingress tcp 80 from ::/0"},
		{"groups.json", "sg-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 17, 80), "no rule of sg-0aaa1 allows it"},
		{"groups.json", "sg-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 6), "no rule of sg-0aaa1 allows it"},
		{"groups.json", "sg-0aaa1/ingress", packet("192.0.2.191", "10.0.1.10", 6, 22), "sg-0aaa1 ingress tcp 22 from pl-0abc1 (offices)"},
		{"groups.json", "sg-0aaa1/ingress", packet("192.0.2.192", "10.0.1.10", 6, 22), "no rule of sg-0aaa1 allows it"},
		{"groups.json", "sg-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 1, 8, 7), "sg-0aaa1 ingress icmp type 8 from 0.0.0.0/0"},
		{"groups.json", "sg-0aaa1/ingress", packet("10.2.3.4", "10.0.1.10", 1, 3, 4), "sg-0aaa1 ingress icmp type 3 code 4 from 10.0.0.0/8"},
		{"groups.json", "sg-0aaa1/ingress", packet("10.2.3.4", "10.0.1.10", 1, 3, 3), "no rule of sg-0aaa1 allows it"},
		{"groups.json", "sg-0aaa1/ingress", packet("2001:db8::9", "2001:db8:1::10", 58, 135, 0), "sg-0aaa1 ingress all icmpv6 from ::/0"},
		{"groups.json", "sg-0aaa1/egress", packet("10.0.1.10", "1.2.3.4", 132), "sg-0aaa1 egress all to 0.0.0.0/0"},
		{"groups.json", "sg-0bbb2/ingress", packet("10.0.1.12", "10.0.2.10", 6, 8085), "sg-0bbb2 ingress tcp 8080-8089 from sg-0aaa1 (from the web)"},
		{"groups.json", "sg-0bbb2/ingress", packet("203.0.113.99", "10.0.2.10", 6, 8085), "no rule of sg-0bbb2 allows it"}, // its public address
		{"groups.json", "sg-0bbb2/ingress", packet("10.0.2.11", "10.0.2.10", 6), "sg-0bbb2 ingress all tcp from sg-0bbb2"},
		{"groups.json", "sg-0bbb2/egress", packet("10.0.2.10", "203.0.113.7", 50), "sg-0bbb2 egress protocol 50 to 203.0.113.7/32"},
		{"groups.json", "sg-0ccc3/ingress", packet("10.9.0.5", "10.0.2.11", 6, 5432), "sg-0ccc3 ingress tcp 5432 from sg-0eee5"},
		{"groups.json", "sg-0ccc3/egress", packet("10.0.2.11", "10.9.0.5", 6, 40000), "no rule of sg-0ccc3 allows it"}, // but replies pass
		{"acls.json", "acl-0aaa1/ingress", packet("203.0.113.1", "10.0.1.10", 6, 80), "acl-0aaa1 ingress rule 100: deny all from 203.0.113.0/24"},
		{"acls.json", "acl-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 6, 80), "acl-0aaa1 ingress rule 200: allow tcp 80 from 0.0.0.0/0"},
		{"acls.json", "acl-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 6, 443), "acl-0aaa1 ingress rule *: deny all from 0.0.0.0/0"},
		{"acls.json", "acl-0aaa1/ingress", packet("2001:db8::1", "2001:db8:1::10", 6, 443), "acl-0aaa1 ingress rule 210: allow tcp 443 from ::/0"},
		{"acls.json", "acl-0aaa1/ingress", packet("2001:db8::1", "2001:db8:1::10", 6, 80), "acl-0aaa1 ingress rule *: deny all from ::/0"},
		{"acls.json", "acl-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 17, 1023), "acl-0aaa1 ingress rule *: deny all from 0.0.0.0/0"},
		{"acls.json", "acl-0aaa1/ingress", packet("1.2.3.4", "10.0.1.10", 17, 1024), "acl-0aaa1 ingress rule 220: allow udp 1024-65535 from 0.0.0.0/0"},
		{"acls.json", "acl-0aaa1/ingress", packet("10.9.9.9", "10.0.1.10", 1, 5, 1), "acl-0aaa1 ingress rule 231: allow all icmp from 10.0.0.0/8"},
		{"acls.json", "acl-0aaa1/ingress", packet("10.9.9.9", "10.0.1.10", 6), "acl-0aaa1 ingress rule 240: allow all tcp from 10.0.0.0/8"},
		{"acls.json", "acl-0bbb2/egress", packet("2001:db8::1", "2001:db8:1::10", 6, 80), "no rule of acl-0bbb2 is about it"},
	} {
		lists, err := readFile(t, tt.file, tt.list)
		require.NoError(t, err)
		for _, l := range lists {
			if l.Rules != nil {
				i, ok := l.Rules.First(tt.packet.key())
				require.True(t, ok)
				r := l.Rules.At(i)
				require.Equal(t, tt.comment, r.Comment)
				allowed := !strings.Contains(tt.comment, "deny") && !strings.HasPrefix(tt.comment, "no rule")
				require.Equal(t, map[bool]string{true: Allow, false: Deny}[allowed], r.Value)
			}
		}
	}
}

// The second reader: documents as encoding/json gives them.
type (
	document struct {
		SecurityGroups    []securityGroup
		NetworkAcls       []networkACL
		NetworkInterfaces []struct {
			PrivateIpAddress   string
			PrivateIpAddresses []struct{ PrivateIpAddress string }
			Ipv6Addresses      []struct{ Ipv6Address string }
			Groups             []struct{ GroupId string }
		}
		PrefixLists []struct {
			PrefixListId string
			Cidrs        []string
		}
		PrefixListId string
		Entries      []struct{ Cidr string }
	}
	securityGroup struct {
		GroupId                            string
		IpPermissions, IpPermissionsEgress []ipPermission
	}
	ipPermission struct {
		IpProtocol       string
		FromPort, ToPort *int
		IpRanges         []struct{ CidrIp string }
		Ipv6Ranges       []struct{ CidrIpv6 string }
		PrefixListIds    []struct{ PrefixListId string }
		UserIdGroupPairs []struct{ GroupId string }
	}
	networkACL struct {
		NetworkAclId string
		Entries      []aclEntry
	}
	aclEntry struct {
		CidrBlock, Ipv6CidrBlock string
		Egress                   bool
		IcmpTypeCode             *struct{ Type, Code int }
		PortRange                *struct{ From, To int }
		Protocol, RuleAction     string
		RuleNumber               int
	}
)

var numbers = map[string]string{"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58"}

// sameTraffic reports whether a packet is what a protocol and two numbers are about.
func sameTraffic(p *seen, name string, from, to *int) bool {
	if n := numbers[name]; n != "" {
		name = n
	}
	if name == "-1" {
		return true
	}
	if name != fmt.Sprint(p.proto) {
		return false
	}
	switch {
	case from == nil:
		return true
	case p.proto == 6 || p.proto == 17:
		return *from == 0 && *to == 65535 || p.header && *from <= p.dport && p.dport <= *to
	case p.proto == 1 || p.proto == 58:
		return *from == -1 || p.header && p.kind == *from && (*to == -1 || p.code == *to)
	}
	return true
}

func within(a netip.Addr, block string) bool {
	return block != "" && netip.MustParsePrefix(block).Contains(a)
}

// naive answers by the documents.
type naive []document

func (n naive) inGroup(a netip.Addr, id string) bool {
	for _, d := range n {
		for _, face := range d.NetworkInterfaces {
			for _, g := range face.Groups {
				if g.GroupId != id {
					continue
				}
				all := []string{face.PrivateIpAddress}
				for _, x := range face.PrivateIpAddresses {
					all = append(all, x.PrivateIpAddress)
				}
				for _, x := range face.Ipv6Addresses {
					all = append(all, x.Ipv6Address)
				}
				for _, x := range all {
					if x != "" && netip.MustParseAddr(x) == a {
						return true
					}
				}
			}
		}
	}
	return false
}

func (n naive) inPrefixList(a netip.Addr, id string) bool {
	for _, d := range n {
		for _, l := range d.PrefixLists {
			for _, c := range l.Cidrs {
				if l.PrefixListId == id && within(a, c) {
					return true
				}
			}
		}
		for _, e := range d.Entries {
			if d.PrefixListId == id && within(a, e.Cidr) {
				return true
			}
		}
	}
	return false
}

func (n naive) group(perms []ipPermission, p *seen, other netip.Addr) bool {
	for _, x := range perms {
		if !sameTraffic(p, x.IpProtocol, x.FromPort, x.ToPort) {
			continue
		}
		for _, r := range x.IpRanges {
			if within(other, r.CidrIp) {
				return true
			}
		}
		for _, r := range x.Ipv6Ranges {
			if within(other, r.CidrIpv6) {
				return true
			}
		}
		for _, r := range x.PrefixListIds {
			if n.inPrefixList(other, r.PrefixListId) {
				return true
			}
		}
		for _, r := range x.UserIdGroupPairs {
			if n.inGroup(other, r.GroupId) {
				return true
			}
		}
	}
	return false
}

func (n naive) acl(entries []aclEntry, egress bool, p *seen, other netip.Addr) bool {
	sorted := append([]aclEntry(nil), entries...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].RuleNumber < sorted[j].RuleNumber })
	for _, e := range sorted {
		if e.Egress != egress || !within(other, e.CidrBlock) && !within(other, e.Ipv6CidrBlock) {
			continue
		}
		var from, to *int
		switch {
		case e.PortRange != nil && (e.Protocol == "6" || e.Protocol == "17"):
			from, to = &e.PortRange.From, &e.PortRange.To
		case e.IcmpTypeCode != nil && (e.Protocol == "1" || e.Protocol == "58" && e.Ipv6CidrBlock != ""):
			from, to = &e.IcmpTypeCode.Type, &e.IcmpTypeCode.Code
		}
		if sameTraffic(p, e.Protocol, from, to) {
			return e.RuleAction == "allow"
		}
	}
	return false
}

// allows answers for a list.
func (n naive) allows(list string, p *seen) bool {
	id, way, _ := strings.Cut(list, "/")
	other := p.src
	if way == "egress" {
		other = p.dst
	}
	for _, d := range n {
		for _, g := range d.SecurityGroups {
			if g.GroupId == id && way == "ingress" {
				return n.group(g.IpPermissions, p, other)
			} else if g.GroupId == id {
				return n.group(g.IpPermissionsEgress, p, other)
			}
		}
		for _, a := range d.NetworkAcls {
			if a.NetworkAclId == id {
				return n.acl(a.Entries, way == "egress", p, other)
			}
		}
	}
	panic("no list " + list)
}

// maker makes documents and packets from small pools, so that they meet often.
type maker struct{ *rand.Rand }

type object = map[string]any

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

func (m maker) block4() string {
	return pick(m, "0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24", "10.0.1.1/32", "10.0.0.0/15", "128.0.0.0/1", "10.0.1.0/31")
}

func (m maker) block6() string {
	return pick(m, "::/0", "2001:db8::/32", "2001:db8::1/128", "::/1", "8000::/1", "::/64", "2001:db8::/127", "::/80")
}

func (m maker) some(most int, what func() any) []any {
	all := []any{}
	for range m.IntN(most + 1) {
		all = append(all, what())
	}
	return all
}

func (m maker) ports() (from, to int) {
	from, to = pick(m, 0, 22, 79, 80), pick(m, 80, 81, 443, 65535)
	return from, to
}

func (m maker) icmp() (kind, code int) {
	switch m.IntN(3) {
	case 0:
		return -1, -1
	case 1:
		return pick(m, 3, 8, 128), -1
	}
	return pick(m, 3, 8, 128), m.IntN(3)
}

func (m maker) permission() any {
	p := object{"IpProtocol": pick(m, "tcp", "udp", "icmp", "icmpv6", "-1", "47", "6")}
	switch p["IpProtocol"] {
	case "tcp", "udp", "6":
		p["FromPort"], p["ToPort"] = m.ports()
	case "icmp":
		p["FromPort"], p["ToPort"] = m.icmp()
	case "icmpv6":
		if m.IntN(2) == 0 {
			p["FromPort"], p["ToPort"] = m.icmp()
		}
	case "47":
		if m.IntN(2) == 0 {
			p["FromPort"], p["ToPort"] = 80, 81 // of no meaning
		}
	}
	p["IpRanges"] = m.some(2, func() any { return object{"CidrIp": m.block4()} })
	p["Ipv6Ranges"] = m.some(2, func() any { return object{"CidrIpv6": m.block6(), "Description": "six"} })
	p["PrefixListIds"] = m.some(1, func() any { return object{"PrefixListId": pick(m, "pl-1", "pl-2")} })
	p["UserIdGroupPairs"] = m.some(1, func() any { return object{"GroupId": pick(m, "sg-1", "sg-2", "sg-3"), "UserId": "1"} })
	return p
}

func (m maker) entries() []any {
	all := []any{}
	for _, egress := range []bool{false, true} {
		seen := m.Perm(20)
		for i := range m.IntN(8) {
			e := object{"Egress": egress, "RuleNumber": 1 + seen[i], "RuleAction": pick(m, "allow", "deny"), "Protocol": pick(m, "6", "17", "1", "58", "-1", "47")}
			six := m.IntN(2) == 0
			if six {
				e["Ipv6CidrBlock"] = m.block6()
			} else {
				e["CidrBlock"] = m.block4()
			}
			from, to := m.ports()
			if p := e["Protocol"]; p == "6" || p == "17" || m.IntN(9) == 0 {
				e["PortRange"] = object{"From": from, "To": to}
			}
			kind, code := m.icmp()
			if p := e["Protocol"]; p == "1" || p == "58" || m.IntN(9) == 0 {
				e["IcmpTypeCode"] = object{"Type": kind, "Code": code}
			}
			all = append(all, e)
		}
		if m.IntN(2) == 0 {
			all = append(all, object{"Egress": egress, "RuleNumber": 32767, "RuleAction": "deny", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"})
		}
		if m.IntN(2) == 0 {
			all = append(all, object{"Egress": egress, "RuleNumber": 32768, "RuleAction": "deny", "Protocol": "-1", "Ipv6CidrBlock": "::/0"})
		}
	}
	m.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (m maker) address(six bool) netip.Addr {
	if six {
		return netip.MustParseAddr(pick(m, "2001:db8::1", "2001:db8::2", "::5", "ff02::1", "9000::1"))
	}
	return netip.MustParseAddr(pick(m, "10.0.1.1", "10.0.1.2", "10.1.0.1", "192.0.2.1", "10.9.0.1"))
}

// documents makes a file.
func (m maker) documents(t *testing.T) string {
	var docs []any
	docs = append(docs, object{"SecurityGroups": []any{
		object{"GroupId": "sg-1", "OwnerId": "1", "IpPermissions": m.some(4, m.permission), "IpPermissionsEgress": m.some(4, m.permission)},
		object{"GroupId": "sg-2", "OwnerId": "1", "IpPermissions": m.some(4, m.permission), "IpPermissionsEgress": m.some(4, m.permission)},
	}})
	docs = append(docs, object{"NetworkAcls": []any{object{"NetworkAclId": "acl-1", "Entries": m.entries()}}})
	number := 0
	docs = append(docs, object{"NetworkInterfaces": m.some(4, func() any {
		number++
		return object{
			"NetworkInterfaceId": fmt.Sprintf("eni-%d", number), "PrivateIpAddress": m.address(false).String(), "Attachment": object{},
			"PrivateIpAddresses": m.some(2, func() any { return object{"PrivateIpAddress": m.address(false).String()} }),
			"Ipv6Addresses":      m.some(1, func() any { return object{"Ipv6Address": m.address(true).String()} }),
			"Groups":             m.some(2, func() any { return object{"GroupId": pick(m, "sg-1", "sg-2", "sg-3"), "GroupName": "x"} }),
		}
	})})
	docs = append(docs, object{"PrefixLists": []any{object{"PrefixListId": "pl-1", "Cidrs": m.some(3, func() any { return m.block4() })}}})
	docs = append(docs, object{"PrefixListId": "pl-2", "Entries": m.some(3, func() any { return object{"Cidr": m.block6()} })})
	m.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	var b strings.Builder
	for _, d := range docs {
		text, err := json.MarshalIndent(d, "", pick(m, "", "    "))
		require.NoError(t, err)
		b.Write(text)
		b.WriteString(pick(m, "", "\n"))
	}
	return b.String()
}

func TestRandomDocumentsAnswerAsASecondReaderDoes(t *testing.T) {
	decided := map[string]int{}
	for seed := range uint64(600) {
		m := maker{rand.New(rand.NewPCG(seed, 4))}
		text := m.documents(t)
		lists, err := Read(strings.NewReader(text), Options{})
		require.NoError(t, err, text)
		var n naive
		for d := json.NewDecoder(strings.NewReader(text)); ; {
			var doc document
			if err := d.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
			n = append(n, doc)
		}
		require.Len(t, lists, 6)
		for range 60 {
			six := m.IntN(2) == 0
			p := &seen{
				src: m.address(six), dst: m.address(six), proto: pick(m, 6, 6, 17, 1, 58, 47), header: m.IntN(6) > 0,
				dport: pick(m, 22, 79, 80, 81, 443, 444, 0, 65535), kind: pick(m, 3, 8, 128, 0), code: m.IntN(3),
			}
			for _, l := range lists {
				i, ok := l.Rules.First(p.key())
				require.True(t, ok)
				want := Deny
				if n.allows(l.Name, p) {
					want = Allow
				}
				decided[l.Name[:2]+" "+want]++
				require.Equal(t, want, l.Rules.At(i).Value, "seed %d, %s, %+v\n%s", seed, l.Name, *p, text)
			}
		}
	}
	require.Len(t, decided, 4)
	for what, n := range decided {
		require.Greater(t, n, 3000, what)
	}
}

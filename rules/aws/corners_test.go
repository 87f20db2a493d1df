package aws

// Corners: zeros, members that may be left out, and what is beside what is asked for.

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestPermissionsBecomeTheseRules(t *testing.T) {
	const any4 = `"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}`
	for rule, want := range map[string]string{
		`{"IpProtocol": "-1"}`:                                                              "src={} => ACCEPT sg-1 ingress all from nowhere",
		`{"IpProtocol": "0", ` + any4:                                                       "src=0.0.0.0/0 proto=0 => ACCEPT sg-1 ingress protocol 0 from 0.0.0.0/0",
		`{"IpProtocol": "255", ` + any4:                                                     "src=0.0.0.0/0 proto=255 => ACCEPT sg-1 ingress protocol 255 from 0.0.0.0/0",
		`{"IpProtocol": "-1", "FromPort": 1, "ToPort": 2, ` + any4:                          "src=0.0.0.0/0 => ACCEPT sg-1 ingress all from 0.0.0.0/0",
		`{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 0, ` + any4:                         "src=0.0.0.0/0 proto=tcp dport=0 => ACCEPT sg-1 ingress tcp 0 from 0.0.0.0/0",
		`{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65534, ` + any4:                     "src=0.0.0.0/0 proto=tcp dport=0-65534 => ACCEPT sg-1 ingress tcp 0-65534 from 0.0.0.0/0",
		`{"IpProtocol": "17", "FromPort": 1, "ToPort": 65535, ` + any4:                      "src=0.0.0.0/0 proto=udp dport=1-65535 => ACCEPT sg-1 ingress udp 1-65535 from 0.0.0.0/0",
		`{"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, ` + any4:                     "src=0.0.0.0/0 proto=udp => ACCEPT sg-1 ingress all udp from 0.0.0.0/0",
		`{"IpProtocol": "icmp", "FromPort": 0, "ToPort": 0, ` + any4:                        "src=0.0.0.0/0 proto=icmp icmptype=0 icmpcode=0 => ACCEPT sg-1 ingress icmp type 0 code 0 from 0.0.0.0/0",
		`{"IpProtocol": "icmp", "FromPort": 0, "ToPort": -1, ` + any4:                       "src=0.0.0.0/0 proto=icmp icmptype=0 => ACCEPT sg-1 ingress icmp type 0 from 0.0.0.0/0",
		`{"IpProtocol": "1", "FromPort": -1, "ToPort": -1, ` + any4:                         "src=0.0.0.0/0 proto=icmp => ACCEPT sg-1 ingress all icmp from 0.0.0.0/0",
		`{"IpProtocol": "58", "FromPort": 255, "ToPort": 255, ` + any4:                      "src=0.0.0.0/0 proto=ipv6-icmp icmptype=255 icmpcode=255 => ACCEPT sg-1 ingress icmpv6 type 255 code 255 from 0.0.0.0/0",
		`{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/16"}]}`:                       "src=::-::fffe:ffff:ffff,::1:0:0:0-0:ffff:ffff:ffff:ffff:ffff:ffff:ffff => ACCEPT sg-1 ingress all from ::/16",
		`{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::fffe:0:0/95"}]}`:               "src=::fffe:0:0/96 => ACCEPT sg-1 ingress all from ::fffe:0:0/95",
		`{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/32"}]}`:              "src=2001:db8::/32 => ACCEPT sg-1 ingress all from 2001:db8::/32",
		`{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.1.2.3/8", "Description": null}]}`: "src=10.0.0.0/8 => ACCEPT sg-1 ingress all from 10.0.0.0/8",
	} {
		lists, err := read(oneGroup(rule))
		require.NoError(t, err, rule)
		r := lists[0].Rules.At(0)
		require.Equal(t, want, rules.FormatRule(Schema, r)+" => "+r.Value+" "+r.Comment)
		require.Equal(t, []int{1, 0}, lists[0].Lines)
	}
	for _, block := range []string{"::ffff:0:0/96", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1/128"} {
		_, err := read(oneGroup(`{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "` + block + `"}]}`))
		require.ErrorContains(t, err, "IPv4 addresses that are written as IPv6 ones")
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestEntriesBecomeTheseRules(t *testing.T) {
	for entry, want := range map[string]string{
		`"CidrBlock": "0.0.0.0/0", "Protocol": "58", "IcmpTypeCode": {"Type": 1, "Code": 1}`: "src=0.0.0.0/0 proto=ipv6-icmp => DROP",
		`"Ipv6CidrBlock": "::/0", "Protocol": "58", "IcmpTypeCode": {"Type": 0, "Code": 0}`:  "src!=0.0.0.0/0 proto=ipv6-icmp icmptype=0 icmpcode=0 => DROP",
		`"CidrBlock": "0.0.0.0/0", "Protocol": "1", "IcmpTypeCode": {"Type": 0, "Code": 0}`:  "src=0.0.0.0/0 proto=icmp icmptype=0 icmpcode=0 => DROP",
		`"CidrBlock": "0.0.0.0/0", "Protocol": "17", "PortRange": {"From": 0, "To": 0}`:      "src=0.0.0.0/0 proto=udp dport=0 => DROP",
		`"CidrBlock": "0.0.0.0/0", "Protocol": "47", "PortRange": {"From": 0, "To": 0}`:      "src=0.0.0.0/0 proto=gre => DROP",
		`"CidrBlock": "0.0.0.0/0", "Protocol": "tcp", "PortRange": {"From": 22, "To": 22}`:   "src=0.0.0.0/0 proto=tcp dport=22 => DROP",
	} {
		lists, err := read(`{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [{` + entry + `, "Egress": false, "RuleAction": "deny", "RuleNumber": 7}]}]}`)
		require.NoError(t, err, entry)
		r := lists[0].Rules.At(0)
		require.Equal(t, want, rules.FormatRule(Schema, r)+" => "+r.Value)
		require.Equal(t, 2, lists[0].Rules.Len())
		require.Equal(t, 1, lists[1].Rules.Len())
	}
}

func TestMembersThatAreNotKnownAreRefusedEverywhere(t *testing.T) {
	for _, text := range []string{
		`{"New": 1}`,
		`{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [], "IpPermissionsEgress": [], "New": 1}]}`,
		oneGroup(`{"IpProtocol": "-1", "New": 1}`),
		oneGroup(`{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "New": 1}]}`),
		oneGroup(`{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0", "New": 1}]}`),
		oneGroup(`{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1", "New": 1}]}`) + `{"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": []}]}`,
		oneGroup(`{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1", "New": 1}]}`) + `{"NetworkInterfaces": []}`,
		`{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [], "New": 1}]}`,
		`{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [{"CidrBlock": "0.0.0.0/0", "Protocol": "-1", "Egress": false, "RuleAction": "deny", "RuleNumber": 7, "New": 1}]}]}`,
		`{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [{"CidrBlock": "0.0.0.0/0", "Protocol": "6", "PortRange": {"From": 1, "To": 1, "New": 1}, "Egress": false, "RuleAction": "deny", "RuleNumber": 7}]}]}`,
		`{"PrefixListId": "pl-1", "Entries": [{"Cidr": "10.0.0.0/8", "New": 1}]}`,
	} {
		_, err := read(text)
		require.ErrorIs(t, err, rules.ErrUnsupported, text)
		require.ErrorContains(t, err, `"New"`)
		require.NotContains(t, err.Error(), "\n")
		_, err = read(strings.Replace(strings.Replace(text, `, "New": 1`, "", 1), `"New": 1`, `"SecurityGroups": []`, 1))
		require.NoError(t, err, text)
	}
	// Of interfaces and prefix lists only the addresses matter.
	_, err := read(`{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "New": 1, "Groups": [{"GroupId": "sg-1", "New": 1}], "Ipv6Prefixes": []}], "ResponseMetadata": {"New": 1}}
{"PrefixLists": [{"PrefixListId": "pl-1", "New": 1}], "NextToken": ""}`)
	require.NoError(t, err)
}

func TestWhatIsBehindAnErrorIsLookedAt(t *testing.T) {
	for text, want := range map[string][]string{
		`{"SecurityGroups": [{"VpcId": "x"}, {"GroupId": "sg-1", "IpPermissions": [], "IpPermissionsEgress": []}, {"GroupId": "sg-1", "New": 1}, {"GroupId": "sg-2"}]}`: {
			"1:21: GroupId is missing", "1:118: the security group stands twice", "sg-2/ingress: IpPermissions is missing", "sg-2/egress: IpPermissionsEgress is missing"},
		`{"NetworkAcls": [{"VpcId": "x"}, {"NetworkAclId": "acl-1", "Entries": []}, {"NetworkAclId": "acl-1"}, {"NetworkAclId": "acl-2"}]}`: {
			"NetworkAclId is missing", "the network ACL stands twice", "Entries is missing"},
		`{"NetworkInterfaces": [{}, {"NetworkInterfaceId": "e"}, {"NetworkInterfaceId": "e"}, {"NetworkInterfaceId": "f", "PrivateIpAddress": 1}]}`: {
			"NetworkInterfaceId is missing", "the network interface stands twice", "f: expected a string"},
		`{"PrefixLists": [{}, {"PrefixListId": "p", "Cidrs": 1}, {"PrefixListId": "q", "Cidrs": [1, "x"]}]} 7 {"Entries": []}`: {
			"PrefixListId is missing", "p: expected an array", "q: expected a string", "q: expected a CIDR block", "expected an object, as aws", "entries of a prefix list that nothing names"},
		oneGroup(`{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-8"}, {"GroupId": "sg-9"}]}, {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-8"}]}`): {
			"security group sg-8 are not in the file", "security group sg-9 are not in the file", "prefix-list-id pl-8"},
		oneGroup(fromList) + `{"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": ["x"]}]}`: {"pl-1: expected a CIDR block"},
	} {
		_, err := read(text)
		require.Error(t, err, text)
		lines := strings.Split(err.Error(), "\n")
		require.Len(t, lines, len(want), "%v", err)
		for i := range want {
			require.Contains(t, lines[i], want[i])
		}
	}
}

func TestInterfacesInErrorMatterToListsThatNeedThem(t *testing.T) {
	text := oneGroup(fromGroup) + `{"NetworkInterfaces": [
{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.1", "Groups": [{"GroupId": "sg-2"}, {"GroupId": "sg-3"}]},
{"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.0.0.2", "Ipv6Prefixes": [{}], "Groups": [{"GroupId": "sg-2"}]},
{"NetworkInterfaceId": "eni-3", "PrivateIpAddress": "nowhere", "Groups": []}]}`
	_, err := Read(strings.NewReader(text), Options{List: "sg-1/ingress"})
	require.ErrorContains(t, err, "input:4:81: eni-2: not modelled: prefixes that are delegated to an interface")
	require.NotContains(t, err.Error(), "\n")
	_, err = Read(strings.NewReader(text), Options{List: "sg-1/egress"})
	require.NoError(t, err)
	_, err = read(text)
	require.ErrorContains(t, err, "eni-2")
	require.ErrorContains(t, err, "eni-3")
	lists, err := Read(strings.NewReader(strings.ReplaceAll(text, `"sg-2", "UserId"`, `"sg-3", "UserId"`)), Options{List: "sg-1/ingress"})
	require.NoError(t, err)
	require.Equal(t, "src=10.0.0.1", rules.FormatRule(Schema, lists[0].Rules.At(0)))
}

func TestGroupsWithoutInterfacesAllowNobodyWhereThatIsCertain(t *testing.T) {
	const none = `{"NetworkInterfaces": []}`
	pair := func(members string) string {
		return oneGroup(`{"IpProtocol": "-1", "UserIdGroupPairs": [{` + members + `}]}`)
	}
	for text, certain := range map[string]bool{
		pair(`"GroupId": "sg-2", "UserId": "1"`):                                  true,
		pair(`"GroupId": "sg-1", "UserId": "1"`):                                  true,
		pair(`"GroupId": "sg-1", "UserId": "2", "VpcId": "vpc-2"`):                true, // it is in the file
		pair(`"GroupId": "sg-2", "UserId": "2"`):                                  false,
		pair(`"GroupId": "sg-2", "UserId": "1", "VpcId": "vpc-2"`):                false,
		pair(`"GroupId": "sg-2", "UserId": "1", "VpcPeeringConnectionId": "pcx"`): false,
		pair(`"GroupId": "sg-2", "UserId": "1", "PeeringStatus": "active"`):       true,
		pair(`"GroupId": "sg-2", "UserId": "1", "PeeringStatus": "rejected"`):     false,
	} {
		lists, err := read(text + none)
		if !certain {
			require.ErrorIs(t, err, rules.ErrUnsupported, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, "src={}", rules.FormatRule(Schema, lists[0].Rules.At(0)))
	}
}

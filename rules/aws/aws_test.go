package aws

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func read(text string) ([]List, error) { return Read(strings.NewReader(text), Options{}) }

// oneGroup is a document with a security group sg-1 that has a rule.
func oneGroup(rule string) string {
	return `{"SecurityGroups": [{"GroupId": "sg-1", "OwnerId": "1", "IpPermissions": [` + rule + `], "IpPermissionsEgress": []}]}` + "\n"
}

const (
	fromGroup = `{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "1"}]}`
	fromList  = `{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]}`
)

func TestErrorsSayWhereAndWhat(t *testing.T) {
	acl := func(entry string) string {
		return `{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [` + entry + `]}]}`
	}
	face := func(members string) string {
		return oneGroup(fromGroup) + `{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-2"}], ` + members + `}]}`
	}
	for text, want := range map[string]string{
		`{`:                                     "1:2: the document does not end: an object is open",
		`[`:                                     "1:2: the document does not end: an array is open",
		`{"a"`:                                  "1:5: ",
		`{"a":`:                                 "1:6: the document does not end",
		`{"a" 1}`:                               "1:6: not JSON: ",
		"{\"SecurityGroups\": []}\n}":           "2:1: not JSON: ",
		`{"a": 1, "a": 2}`:                      `1:10: the member stands twice: "a"`,
		"{\"a\": \"\xff\"}":                     "1:8: byte 0xff is not UTF-8",
		`{"SecurityGroups": {}}`:                "1:20: expected an array, not an object",
		`{"SecurityGroups": true}`:              `1:20: expected an array, not true or false: "true"`,
		`{"SecurityGroups": null}`:              `1:20: expected an array, not null: "null"`,
		`{"SecurityGroups": [{"GroupId": ""}]}`: `1:33: GroupId is empty`,
		`{"SecurityGroups": [{"GroupId": 7}]}`:  `1:33: expected a string, not a number: "7"`,
		oneGroup(`{}`):                          "1:75: sg-1/ingress: IpProtocol is missing",
		oneGroup(`{"IpProtocol": "-2"}`):        `1:90: sg-1/ingress: expected a protocol`,
		oneGroup(`{"IpProtocol": "-0"}`):        `1:90: sg-1/ingress: expected a protocol`,
		oneGroup(`{"IpProtocol": "tcp", "FromPort": 1.5, "ToPort": 2}`):                     `1:109: sg-1/ingress: expected a whole number from 0 to 65535: "1.5"`,
		oneGroup(`{"IpProtocol": "tcp", "FromPort": "1", "ToPort": 2}`):                     `1:109: sg-1/ingress: expected a whole number from 0 to 65535: "1"`,
		oneGroup(`{"IpProtocol": "6", "FromPort": 1}`):                                      `1:75: sg-1/ingress: FromPort or ToPort is missing`,
		oneGroup(`{"IpProtocol": "icmp"}`):                                                  `1:75: sg-1/ingress: FromPort or ToPort is missing`,
		oneGroup(`{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/33"}]}`):           `1:120: sg-1/ingress: expected a CIDR block of IPv4: "10.0.0.0/33"`,
		oneGroup(`{"IpProtocol": "-1", "IpRanges": [{}]}`):                                  `1:109: sg-1/ingress: CidrIp is missing`,
		oneGroup(`{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Zone": 1}]}`): `1:134: sg-1/ingress: not modelled: a member that is not known here: "Zone"`,
		oneGroup(fromGroup): `1:129: sg-1/ingress: not modelled: the addresses of the network interfaces in security group sg-2 are not in the file`,
		oneGroup(fromList):  `1:131: sg-1/ingress: not modelled: a prefix list whose entries are not in the file`,
		oneGroup(strings.Replace(fromGroup, `"UserId": "1"`, `"UserId": "2"`, 1)) + `{"NetworkInterfaces": []}`:                   "not modelled: security group sg-2 is one of another account or VPC",
		oneGroup(strings.Replace(fromGroup, `"UserId": "1"`, `"UserId": "1", "VpcId": "vpc-2"`, 1)) + `{"NetworkInterfaces": []}`: "not modelled: security group sg-2 is one of another account or VPC",
		face(`"PrivateIpAddress": "10.0.0.256"`):                                                                                                            `eni-1: expected an address of IPv4: "10.0.0.256"`,
		face(`"PrivateIpAddress": "::1"`):                                                                                                                   `eni-1: expected an address of IPv4: "::1"`,
		face(`"Ipv6Addresses": [{"Ipv6Address": "fe80::1%eth0"}]`):                                                                                          `eni-1: expected an address of IPv6: "fe80::1%eth0"`,
		face(`"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.0.0/28"}]`):                                                                                             `eni-1: not modelled: prefixes that are delegated to an interface`,
		`{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}, {"NetworkInterfaceId": "eni-1"}]}`:                                                         `1:80: the network interface stands twice in the file: "eni-1"`,
		`{"NetworkInterfaces": [{}]}`:                                                                                                                       "1:24: NetworkInterfaceId is missing",
		acl(`{"CidrBlock": "10.0.0.0/8", "Egress": "no", "Protocol": "-1", "RuleAction": "deny", "RuleNumber": 1}`):                                         "1:56: Egress is missing, or not true or false",
		acl(`{"CidrBlock": "10.0.0.0/8", "Ipv6CidrBlock": "::/0", "Egress": true, "Protocol": "-1", "RuleAction": "deny", "RuleNumber": 1}`):                "1:56: acl-1/egress: expected one of CidrBlock and Ipv6CidrBlock",
		acl(`{"CidrBlock": "10.0.0.0/8", "Egress": true, "Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": 0}, "RuleAction": "deny", "RuleNumber": 1}`): `1:154: acl-1/egress: an ICMP code for all types: Type -1 needs Code -1: "0"`,
		`{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": []}, {"NetworkAclId": "acl-1", "Entries": []}]}`:                                             `1:77: the network ACL stands twice in the file: "acl-1"`,
		`{"NetworkAcls": [{"Entries": []}]}`:                                                                                                                "1:18: NetworkAclId is missing",
		`{"PrefixLists": [{"Cidrs": []}]}`:                                                                                                                  "1:18: PrefixListId is missing",
		`{"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": {}}]}`:                                                                                          "1:52: pl-1: expected an array, not an object",
		`{"PrefixListId": "pl-1", "Entries": [{}]}`:                                                                                                         "1:38: pl-1: Cidr is missing",
		`{"PrefixListId": 1, "Entries": []}`:                                                                                                                `1:18: expected a string, not a number: "1"`,
		`{"PrefixListId": "pl-1"}`:                                                                                                                          `1:2: not modelled: expected SecurityGroups`,
		`{"PrefixLists": [{"PrefixListId": "pl-1"}, {"PrefixListId": "pl-2"}]} {"Entries": []}`:                                                             "entries of a prefix list that nothing names",
		`{"PrefixLists": [{"PrefixListId": "pl-1"}]} {"SecurityGroups": []} {"Entries": []}`:                                                                "entries of a prefix list that nothing names",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, want, text)
		if want[0] >= '0' && want[0] <= '9' {
			require.ErrorContains(t, err, "input:"+want, text)
		}
		var typed *rules.ParseError
		require.ErrorAs(t, err, &typed)
		require.Positive(t, typed.Line)
		require.Equal(t, strings.Contains(want, "not modelled: "), errors.Is(err, rules.ErrUnsupported), text)
	}
}

func TestAListIsReadWhateverIsWrongInOthers(t *testing.T) {
	text := `{"SecurityGroups": [
{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]}], "IpPermissionsEgress": []},
{"GroupId": "sg-2", "IpPermissions": [{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-2"}]}], "IpPermissionsEgress": []}]}
{"PrefixLists": [{"PrefixListId": "pl-2", "Cidrs": ["nowhere"]}]}`
	names := func(lists []List) (all []string) {
		for _, l := range lists {
			if l.Rules != nil {
				l.Name += "!"
			}
			all = append(all, l.Name)
		}
		return all
	}
	lists, err := Read(strings.NewReader(text), Options{List: "sg-1/egress"})
	require.NoError(t, err)
	require.Equal(t, []string{"sg-1/ingress", "sg-1/egress!", "sg-2/ingress", "sg-2/egress"}, names(lists))
	lists, err = Read(strings.NewReader(text), Options{List: "sg-2/ingress"})
	require.EqualError(t, err, `input:4:53: pl-2: expected a CIDR block of IPv4: "nowhere"`)
	require.Equal(t, []string{"sg-1/ingress", "sg-1/egress", "sg-2/ingress", "sg-2/egress"}, names(lists))
	_, err = Read(strings.NewReader(text), Options{List: "sg-1/ingress"})
	require.ErrorContains(t, err, "input:2:95: sg-1/ingress: not modelled: a prefix list whose entries are not in the file")
	_, err = read(text)
	require.ErrorContains(t, err, "sg-1/ingress")
	require.ErrorContains(t, err, "pl-2")
}

func TestPrefixListsAreKnownByTheirNamesOrByTheDocumentInFront(t *testing.T) {
	for _, docs := range []string{
		`{"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "x"}]} {"Entries": [{"Cidr": "10.0.0.0/8"}]}`,
		`{"PrefixListId": "pl-1", "Entries": [{"Cidr": "10.0.0.0/8"}]}`,
		`{"Entries": [{"Cidr": "10.0.0.0/8"}], "PrefixListId": "pl-1"}`,
		`{"PrefixLists": [{"PrefixListId": "pl-0"}, {"PrefixListId": "pl-1", "Cidrs": ["10.0.0.0/8"]}]}`,
		`{"PrefixLists": [{"PrefixListId": "pl-0"}]} {"Entries": [], "NextToken": null} {"PrefixLists": [{"PrefixListId": "pl-1"}]} {"Entries": [{"Cidr": "10.0.0.0/9"}, {"Cidr": "10.128.0.0/9"}]}`,
	} {
		for _, text := range []string{oneGroup(fromList) + docs, docs + oneGroup(fromList)} {
			lists, err := read(text)
			require.NoError(t, err, text)
			require.Equal(t, "src=10.0.0.0/8", rules.FormatRule(Schema, lists[0].Rules.At(0)))
		}
	}
}

func TestLimitsEndTheReading(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `, "10.%d.%d.0/24"`, i>>8, i&255<<1&255)
		}
		return oneGroup(fromList) + `{"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": ["192.0.2.0/24"` + b.String() + `]}]}`
	}
	rule := `{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "10.0.0.0/8"}]}`
	_, err := Read(strings.NewReader(many(9)), Options{Limits: rules.Limits{MaxElements: 10}})
	require.NoError(t, err)
	_, err = Read(strings.NewReader(oneGroup(rule)), Options{Limits: rules.Limits{MaxRules: 3, MaxChains: 2}})
	require.NoError(t, err)
	var members strings.Builder
	for i := range maxMembers + 1 {
		fmt.Fprintf(&members, `"m%d": 0,`, i)
	}
	for _, tt := range []struct {
		text   string
		limits rules.Limits
		want   string
	}{
		{many(10), rules.Limits{MaxElements: 10}, "prefix list pl-1 has more than 10 addresses and blocks"},
		{oneGroup(rule), rules.Limits{MaxRules: 2}, "input: sg-1/ingress: rule 3: limit exceeded: at most 2 rules"},
		{oneGroup(rule), rules.Limits{MaxRules: 1}, "input:1: sg-1/ingress: rule 2: limit exceeded"},
		{oneGroup(rule), rules.Limits{MaxChains: 1}, "more than 1 lists"},
		{oneGroup(rule), rules.Limits{MaxInput: 20}, "input is longer than 20 bytes"},
		{oneGroup(rule), rules.Limits{MaxMemory: 2000}, "the documents take more than 2000 bytes of memory"},
		{many(100), rules.Limits{MaxMemory: 25000}, "the addresses of groups take more than 25000 bytes of memory"},
		{strings.Repeat("[", 100), rules.Limits{MaxDepth: 50}, "input:1:52: values nest deeper than 50"},
		{strings.Repeat("[", 5000), rules.Limits{}, "values nest deeper than 1024"},
		{strings.Repeat(`{"a":`, 5000), rules.Limits{}, "values nest deeper than 1024"},
		{`{"a": {"b": [` + strings.Repeat("0,", 100) + `0]}}`, rules.Limits{MaxMemory: 5000}, "the documents take more than 5000 bytes of memory"},
		{"{" + members.String() + `"x": 0}`, rules.Limits{}, "more than 1000 members in an object"},
	} {
		lists, err := Read(strings.NewReader(tt.text), Options{Limits: tt.limits})
		require.ErrorContains(t, err, tt.want)
		require.ErrorIs(t, err, rules.ErrLimit)
		require.Nil(t, lists)
	}
	broken := errors.New("disk on fire")
	_, err = Read(iotest.ErrReader(broken), Options{File: "f"})
	require.EqualError(t, err, "f: cannot read: disk on fire")
	require.ErrorIs(t, err, broken)
}

func TestManyErrorsAreCounted(t *testing.T) {
	_, err := read(`{"SecurityGroups": [` + strings.Repeat("{},\n", maxFaults+500) + `{"GroupId": "sg-1", "IpPermissions": [0], "IpPermissionsEgress": []}]}`)
	require.ErrorContains(t, err, "input:1:21: GroupId is missing")
	require.ErrorContains(t, err, fmt.Sprintf("input:%d:39: sg-1/ingress: ", maxFaults+501))
	require.ErrorContains(t, err, "input: and 500 more errors")
}

func TestDocumentsAreKnownByTheirFirstMember(t *testing.T) {
	for _, name := range []string{"SecurityGroups", "NetworkAcls", "NetworkInterfaces", "PrefixLists", "Entries", "PrefixListId", "SecurityGroupRules"} {
		require.True(t, IsMember(name))
	}
	for _, name := range []string{"", "hipac", "nftables", "Reservations", "securitygroups"} {
		require.False(t, IsMember(name))
	}
}

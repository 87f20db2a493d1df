package aws_test

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/aws"
)

const example = `{
    "SecurityGroups": [
        {
            "GroupId": "sg-0a1b",
            "GroupName": "web",
            "OwnerId": "111122223333",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "everybody"}]},
                {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": "sg-0c2d", "UserId": "111122223333"}]}
            ],
            "IpPermissionsEgress": []
        }
    ]
}
`

// The rules of a security group. Those that name another group need the network
// interfaces that are in it.
func ExampleRead() {
	const interfaces = `{
    "NetworkInterfaces": [
        {"NetworkInterfaceId": "eni-0e3f", "PrivateIpAddress": "10.0.0.4", "Groups": [{"GroupId": "sg-0c2d"}]}
    ]
}
`
	lists, err := aws.Read(strings.NewReader(example+interfaces), aws.Options{File: "groups.json", List: "sg-0a1b/ingress"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range lists[0].Rules.All() {
		fmt.Println(rules.FormatRule(aws.Schema, r), "=>", r.Value)
		fmt.Println("   ", r.Comment)
	}
	// Output:
	// src=0.0.0.0/0 proto=tcp dport=443 => ACCEPT
	//     sg-0a1b ingress tcp 443 from 0.0.0.0/0 (everybody)
	// src=10.0.0.4 proto=icmp icmptype=8 => ACCEPT
	//     sg-0a1b ingress icmp type 8 from sg-0c2d
	// any => DROP
	//     no rule of sg-0a1b allows it
}

func ExampleRead_refused() {
	_, err := aws.Read(strings.NewReader(example), aws.Options{File: "groups.json"})
	fmt.Println(err)
	// Output:
	// groups.json:9:102: sg-0a1b/ingress: not modelled: the addresses of the network interfaces in security group sg-0c2d are not in the file: add what aws ec2 describe-network-interfaces prints: "sg-0c2d"
}

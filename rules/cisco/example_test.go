package cisco_test

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/cisco"
)

// The rules of an access list, with what they come from.
func ExampleRead() {
	lists, err := cisco.Read(strings.NewReader(`
ip access-list extended INSIDE-IN
 remark clients may browse
 10 permit tcp 10.1.0.0 0.0.255.255 any eq www 443
 20 deny ip 10.1.0.0 0.0.255.255 any log
`), cisco.Options{File: "router.cfg"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range lists[0].Rules.All() {
		fmt.Println(rules.FormatRule(cisco.Schema, r), "=>", r.Value)
		fmt.Println("   ", r.Comment)
	}
	// Output:
	// src=10.1.0.0/16 proto=tcp dport=80,443 => ACCEPT
	//     10 permit tcp 10.1.0.0 0.0.255.255 any eq www 443 (clients may browse)
	// src=10.1.0.0/16 proto=tcp frag=1 => ACCEPT
	//     10 permit tcp 10.1.0.0 0.0.255.255 any eq www 443 (clients may browse) (fragments other than the first)
	// src=10.1.0.0/16 => DROP
	//     20 deny ip 10.1.0.0 0.0.255.255 any log
	// any => DROP
	//     the implicit deny at the end of the list
}

// What is not modelled is refused, all of it at once.
func ExampleRead_refused() {
	_, err := cisco.Read(strings.NewReader(`ip access-list extended INSIDE-IN
 permit tcp any any eq www time-range WORKDAYS
 permit tcp any any reflect SESSIONS
`), cisco.Options{File: "router.cfg"})
	fmt.Println(err)
	// Output:
	// router.cfg:2:28: INSIDE-IN: not modelled: whether a time range is active is not in a packet: "time-range"
	// router.cfg:3:21: INSIDE-IN: not modelled: a reflexive list has entries that come and go with the traffic: "reflect"
}

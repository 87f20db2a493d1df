package native_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

// Rules are read and asked about a packet.
func Example() {
	list, err := native.Read(strings.NewReader(`hipac 1
schema ipv4
rule src=10.0.0.0/8 dport=80,443 proto=tcp => ACCEPT  # the intranet
rule any => DROP
`), native.Options{File: "rules.hipac"})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := list.Schema().NewKey()
	list.Schema().SetTuple(key, rules.Tuple{
		Src: netip.MustParseAddr("10.1.2.3"), Dst: netip.MustParseAddr("192.0.2.7"),
		SrcPort: 40000, DstPort: 443, Proto: 6,
	})
	if i, ok := list.First(key); ok {
		fmt.Println(list.At(i).Value, list.At(i).Comment)
	}
	// Output: ACCEPT the intranet
}

func ExampleRead_error() {
	_, err := native.Read(strings.NewReader("hipac 1\nschema ipv4\nrule dport=80000 => DROP\n"), native.Options{File: "rules.hipac"})
	fmt.Println(err)
	// Output: rules.hipac:3:6: 80000 does not fit the 16 bits of dport: "dport=80000"
}

func ExampleWrite() {
	web := rules.In(rules.IPv4Tuple.MustIndex("dport"), rules.Point(80), rules.Point(443))
	list, err := rules.NewList(rules.IPv4Tuple,
		rules.Rule[string]{Conds: []rules.Cond{web}, Value: "ACCEPT", Comment: "web"},
		rules.Rule[string]{Value: "DROP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	native.Write(os.Stdout, list)
	// Output:
	// hipac 1
	// schema ipv4
	// rule dport=80,443 => ACCEPT  # web
	// rule any => DROP
}

func ExampleWriteJSON() {
	web := rules.In(rules.IPv4Tuple.MustIndex("dport"), rules.Point(80), rules.Point(443))
	list, err := rules.NewList(rules.IPv4Tuple, rules.Rule[string]{Conds: []rules.Cond{web}, Value: "ACCEPT"}, rules.Rule[string]{Value: "DROP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	native.WriteJSON(os.Stdout, list)
	// Output:
	// {"hipac": 1,
	//  "schema": {"name": "ipv4"},
	//  "rules": [
	//   {"match": ["dport=80,443"], "value": "ACCEPT"},
	//   {"match": [], "value": "DROP"}
	//  ]}
}

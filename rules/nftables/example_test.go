package nftables_test

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/nftables"
)

func ExampleRead() {
	listing := `{"nftables": [
		{"table": {"family": "ip", "name": "filter", "handle": 1}},
		{"set": {"family": "ip", "table": "filter", "name": "admins", "type": "ipv4_addr", "handle": 3, "flags": ["interval"],
			"elem": [{"prefix": {"addr": "192.0.2.0", "len": 27}}, "198.51.100.7"]}},
		{"chain": {"family": "ip", "table": "filter", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
		{"rule": {"family": "ip", "table": "filter", "chain": "input", "handle": 4, "expr": [
			{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@admins"}},
			{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 443]}}},
			{"accept": null}]}}]}`
	set, err := nftables.Read(strings.NewReader(listing), nftables.Options{File: "listing.json"})
	if err != nil {
		fmt.Println(err)
		return
	}
	table := set.Table("filter")
	for _, r := range table.Chains[0].Rules.All() {
		text, line := set.Rule(table.Name, "input", r.Value.Number)
		fmt.Printf("line %d: %s\n%s => %v\n", line, text, rules.FormatRule(table.Schema, r), r.Value.Verdict)
	}
	key := table.Schema.NewKey()
	table.Schema.SetTuple(key, rules.Tuple{Src: netip.MustParseAddr("192.0.2.9"), Dst: netip.MustParseAddr("203.0.113.1"), SrcPort: 40000, DstPort: 22, Proto: 6})
	fmt.Println(table.Evaluate(key, table.Find("input"), nil).Verdict)
	// Output:
	// line 6: ip saddr @admins tcp dport { 22, 443 } accept # handle 4
	// src=192.0.2.0/27,198.51.100.7 dport=22,443 proto=tcp => ACCEPT
	// ACCEPT
}

package main

// The same single change by the kernel's tools, on as many rules: what people
// use today.

import (
	"bytes"
	"fmt"
	"strings"
)

// kernelTimes are the wall-clock times of the tools, in microseconds; nil where
// there is none, and then Skipped says why.
type kernelTimes struct {
	Append  *float64          `json:"iptables_legacy_append_us"`
	Rule    *float64          `json:"nft_add_rule_us"`
	Element *float64          `json:"nft_add_element_us"`
	Skipped map[string]string `json:"skipped,omitempty"` // by tool
}

// kernelTool is a way to make a change.
type kernelTool struct {
	name   string
	load   []string // the command that reads the rules, and what it is given
	input  func(n int) string
	change []string
	into   func(k *kernelTimes) **float64
}

// kernelTools returns the ways. The rules are as simple as can be, each with an
// address, a protocol and a port.
func kernelTools() []kernelTool {
	return []kernelTool{
		{
			name: "iptables-legacy -A", load: []string{"iptables-legacy-restore"},
			input: func(n int) string {
				return repeated("*filter\n:FORWARD ACCEPT\n", n, "COMMIT\n", func(b *strings.Builder, addr string, port int) {
					fmt.Fprintf(b, "-A FORWARD -s %s/32 -p tcp -m tcp --dport %d -j DROP\n", addr, port)
				})
			},
			change: []string{"iptables-legacy", "-A", "FORWARD", "-s", "11.0.0.1/32", "-p", "tcp", "-m", "tcp", "--dport", "7", "-j", "DROP"},
			into:   func(k *kernelTimes) **float64 { return &k.Append },
		},
		{
			name: "nft add rule", load: []string{"nft", "-f", "-"},
			input: func(n int) string {
				return repeated("table ip rules {\nchain forward {\n", n, "}\n}\n", func(b *strings.Builder, addr string, port int) {
					fmt.Fprintf(b, "ip saddr %s tcp dport %d drop\n", addr, port)
				})
			},
			change: []string{"nft", "add", "rule", "ip", "rules", "forward", "ip", "saddr", "11.0.0.1", "tcp", "dport", "7", "drop"},
			into:   func(k *kernelTimes) **float64 { return &k.Rule },
		},
		{
			name: "nft add element", load: []string{"nft", "-f", "-"},
			input: func(n int) string {
				return repeated("table ip sets {\nset s {\ntype ipv4_addr . inet_service\nelements = {\n", n, "}\n}\n}\n", func(b *strings.Builder, addr string, port int) {
					fmt.Fprintf(b, "%s . %d,\n", addr, port)
				})
			},
			change: []string{"nft", "add", "element", "ip", "sets", "s", "{ 11.0.0.%d . 7 }"},
			into:   func(k *kernelTimes) **float64 { return &k.Element },
		},
	}
}

// repeated writes n rules between a head and a foot.
func repeated(head string, n int, foot string, rule func(b *strings.Builder, addr string, port int)) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		rule(&b, fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), 1+i%60000)
	}
	b.WriteString(foot)
	return b.String()
}

// text says the times in a line each.
func (k *kernelTimes) text(b *bytes.Buffer, rules int) {
	fmt.Fprintf(b, "\nthe same change by the kernel's tools, with %d rules or elements there:\n\n", rules)
	for _, t := range kernelTools() {
		if us := *t.into(k); us != nil {
			fmt.Fprintf(b, "  %-18s  %s\n", t.name, microseconds(*us))
		} else {
			fmt.Fprintf(b, "  %-18s  skipped: %s\n", t.name, k.Skipped[t.name])
		}
	}
}

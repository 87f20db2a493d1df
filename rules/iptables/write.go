package iptables

// Printing in the form of iptables-save.

import (
	"bufio"
	"fmt"
	"io"
	"sort"

	"github.com/hipac-go/classifier/rules"
)

// Write prints the rules as iptables-save does, counters of rules included
// when counters is set (iptables-save -c). Everything is in one canonical
// form: tables in the order of the file (iptables-save prints them in the
// order in which the kernel came to know them, which no file says), user chains
// in the order of their names, options in the order of the tools. In front of
// each table stands one comment, which names the family. What is printed reads
// back to the same rules, and prints the same again.
//
// When tables are named, only those are printed (iptables-save -t); a name that
// rs does not have is an error, and nothing is printed.
//
// The text of rules is kept from the file: it is an error when rs.Tables are not
// the tables that were read, or have other chains.
func Write(w io.Writer, rs *Ruleset, counters bool, tables ...string) error {
	if err := rs.check(); err != nil {
		return err
	}
	for _, name := range tables {
		if rs.find(name) < 0 {
			return fmt.Errorf("iptables: there is no table %q", name)
		}
	}
	out := bufio.NewWriter(w)
	tool := "iptables-save"
	if rs.Family == 6 {
		tool = "ip6tables-save"
	}
	for i, t := range rs.Tables {
		if len(tables) > 0 && !contains(tables, t.Name) {
			continue
		}
		fmt.Fprintf(out, "# Written by hipac as by %s\n*%s\n", tool, t.Name)
		order := make([]int, len(t.Chains))
		user := 0 // chains before it are built-in
		for c := range order {
			if order[c] = c; t.Chains[c].Policy != rules.NoVerdict {
				user = c + 1
			}
		}
		sort.Slice(order[user:], func(a, b int) bool {
			return t.Chains[order[user+a]].Name < t.Chains[order[user+b]].Name
		})
		for _, c := range order {
			chain := &t.Chains[c]
			policy := "-"
			if chain.Policy != rules.NoVerdict {
				policy = chain.Policy.String()
			}
			fmt.Fprintf(out, ":%s %s [%d:%d]\n", chain.Name, policy, chain.Packets, chain.Bytes)
		}
		for _, c := range order {
			for n := range rs.lines[i][c] {
				l := &rs.lines[i][c][n]
				if counters {
					fmt.Fprintf(out, "[%d:%d] ", l.packets, l.bytes)
				}
				out.WriteString("-A ")
				out.WriteString(t.Chains[c].Name)
				if l.text != "" {
					out.WriteByte(' ')
					out.WriteString(l.text)
				}
				out.WriteByte('\n')
			}
		}
		out.WriteString("COMMIT\n")
	}
	return out.Flush()
}

// Package files reads the files of rules and packets that a program is given,
// of any format: our own, ClassBench, iptables-save rules and listings of
// nftables, and lists of other systems, of which one is chosen; pcap, pcapng, CSV and ClassBench packets. The format is told from the content. The flags that
// say more about a file are structs here, so that every program has the same
// ones; their tags are those of github.com/alecthomas/kong.
//
// It is for programs, as package rules/capture, which it imports. A program:
//
//	r, name, done, err := files.Open(cmd.Rules, os.Stdin)
//	// ...
//	defer done()
//	set, err := files.ReadRules(r, name, &cmd.RuleFlags)
//	switch {
//	case set.Native != nil: // a list whose values are text, also one from elsewhere
//	case set.ClassBench != nil: // a list whose values are flags
//	case set.Tables != nil: // chains
//	}
//
// Errors name the file, and where in it. An error about what was asked, rather
// than about the data, is a [UsageError].
package files

// Package policy answers questions about all packets at once: do two rule sets
// mean the same, and if not, where and why; is anything accepted that meets some
// conditions; which rules can never decide.
//
// A Function is what a rule set makes of packets: of a list of rules, or of a
// chain of a table with all that it calls. Compare finds the packets of which two
// functions say different things, as regions: disjoint boxes, with the rules that
// decide there, one packet of each, and how many there are. Query does the same
// for a function and a verdict. Lint finds the rules that can never decide, that
// could go, or be one.
//
// The answers are exact over the fields of packets. Matches that are no
// conditions on fields (limit, owner, a set) are taken as something that holds or
// not: a pure one holds or not wherever it stands, one with a memory may hold at
// one rule and not at the next. Regions that depend on such a match say so.
// Packets whose headers are cut are left out, and addresses are both of one family.
//
//	function.go  rule sets as sequences of steps, chains laid out flat
//	align.go     the steps that two functions share
//	compare.go   regions of difference
//	cells.go     fewer, larger regions
//	packets.go   the packets there are: headers and protocols; witnesses
//	query.go     what a rule set says of some packets
//	lint.go      findings about rules
//	lintmodel.go, lintreach.go, lintredundant.go, lintpairs.go  how they are found
package policy

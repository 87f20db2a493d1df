// Package native reads and writes this project's own rule format: a text
// format that can say everything that package rules models, and JSON of the
// same.
//
//	hipac 1
//	schema ipv4
//	# who may come in
//	rule src=10.0.0.0/8 dport=80,443 proto=tcp => ACCEPT   # the intranet
//	rule @17 continue dport!=22 => LOG
//	rule any => DROP
//
// # Grammar
//
// A file is UTF-8 text without NUL bytes; lines end in LF or CRLF. Blank lines
// and lines whose first character behind blanks is '#' are skipped. The others
// are, in this order, one header, one schema and any number of rules:
//
//	file     = header schema { rule }
//	header   = "hipac" "1"
//	schema   = "schema" ( ready | "none" | field { field } )
//	ready    = "ipv4" | "ipv6" | "ip" | "firewall"
//	field    = name ":" kind [ ":" bits ] [ ":" symbol { "," symbol } ]
//	symbol   = name "=" number
//	rule     = "rule" { "@" number | "continue" | "unknown" quoted }
//	           ( "any" | condition { condition } )
//	           [ "=>" value ] [ "#" comment ]
//	value    = quoted | text without " #"
//	comment  = quoted | text
//	quoted   = '"' Go string literal '"'
//
// Words are separated by blanks or tabs; symbols, conditions and fields are
// one word each. A condition is one field's, in the syntax of rules.ParseCond:
//
//	condition = name [ "?" ] ( "=" | "!=" ) set
//	set       = "*" | "{}" | item { "," item } [ "&" masked ] | masked
//	item      = value | value "-" value | address "/" length | ifname "+"
//	masked    = value "/" mask
//
// The ready schemas are those of package rules: IPv4Tuple, IPv6Tuple, IPTuple
// and Firewall; "none" has no fields. The kinds of fields, and how their values
// are written, are those of rules.Kind; bits may be left out for kinds of a
// fixed width.
//
// # Meaning
//
// The first terminal rule that matches a packet decides; all conditions of a
// rule must hold. "any" is no condition. A field that the packet does not have
// satisfies no condition on it, negated or not; "=*" asks for no more than
// that the packet has the field. "?" makes a condition hold also for packets
// without the field. See rules.Cond for the full table.
//
// The value is free text for the caller; without "=>" it is "". A rule marked
// "continue" does not decide: evaluation goes on behind it. "@17" gives a rule
// its identity; without it a rule takes its number in the list, or the next
// free one above. "unknown" names something that the rule also asks for and
// that is not modelled: where the conditions hold, nobody can say whether the
// rule matches.
//
// A value must be quoted when it begins with '"' or '#' or holds a blank and
// '#'; values and comments must be when they begin or end with blanks or hold
// line ends. A comment whose text is a quoted string as a whole is unquoted,
// any other is taken as it is. Comments on lines of their own are not kept.
//
// # JSON
//
// The same as one object, its members in this order:
//
//	{"hipac": 1,
//	 "schema": {"name": "ipv4"},
//	 "rules": [
//	  {"match": ["src=10.0.0.0/8", "dport=80,443", "proto=tcp"], "value": "ACCEPT", "comment": "the intranet"},
//	  {"id": 17, "match": ["dport!=22"], "value": "LOG", "continue": true},
//	  {"match": [], "value": "DROP"}
//	 ]}
//
// A schema that has no name, or has one and is to be spelled out, is
//
//	{"fields": [{"name": "x", "kind": "bits", "bits": 8, "symbols": [{"name": "A", "value": 1}]}]}
//
// The members of a rule are id, match, value, comment, continue and unknown, of
// which match alone is required, in any order. A member that is unknown or
// appears twice is an error.
package native

// Package rules is the model of packet classification rules: schemas of named
// fields, rules as conditions on them, ordered lists and chains, and the
// linear matcher that defines which rule decides a packet.
//
// A [Schema] names up to 32 fields of 1 to 128 bits. A [Rule] is a conjunction
// of conditions ([Cond]) on fields, with an identity, a value of the caller's
// own type and a comment. A [List] is an immutable sequence of rules; the
// first terminal rule that matches a packet decides. A [Table] is a set of
// chains that call one another, as iptables has them; its rules may have tests
// and targets beyond conditions ([Extension]), and a [Path] is the tables that a
// packet passes. A [Key] holds the field values of one packet, a [Subject] is a
// packet of which more is known.
//
// [Diff] and [DiffTables] find the smallest set of edits between two lists, or two
// sets of tables, so that rules that stay keep their identities.
//
// The package knows nothing of how rules are compiled: package hipac does
// that, and answers the same questions in nearly constant time. Here they are
// answered by walking, in time linear in the number of rules.
//
// Text formats live in the packages below this one: native (our own),
// classbench, iptables; packet decodes packets into keys and capture reads
// them from files. Package xt is what the matches and targets of iptables mean.
package rules

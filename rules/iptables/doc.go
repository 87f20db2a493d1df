// Package iptables reads rule files in the form of iptables-save and
// ip6tables-save, as people keep them and as the tools of any age wrote them,
// into tables of package rules, and prints them back in one canonical form.
//
// All tables of a file share one schema: the 5-tuple, with addresses of the
// file's family, and what else its rules ask for, so that keys are short. A
// packet of the other family is outside of it. Fields are named as package
// rules/packet names them. Packets are best sent through the tables as an
// xt.Traversal, which keeps their key up to date as targets change them, and
// answers what is no field.
//
// # Semantics
//
// They are the kernel's:
//
//   - A match on ports, TCP flags or ICMP types needs the header. Packets
//     without it, such as later fragments, have those fields absent, and
//     meet neither the match nor its negation. "-m tcp" without options needs
//     it too, "-p tcp" alone does not. Packets that end inside the header are
//     dropped by the first rule that reads it ("hotdrop"), when what stands in
//     front of the match holds: see rules.Demand.
//   - "-m state" and "-m conntrack --ctstate" hold when the field ctstate has
//     any of the listed bits. Without connection tracking the field is absent
//     and they do not hold, negated or not. What else is asked of a connection
//     (its mark, addresses, status) does not hold either for packets without
//     one, but that "-m helper" and "-m connlabel" hold for them when negated,
//     and that "-m conntrack" with --ctstate goes by the state alone.
//   - What the system knows of every packet (processor, realm, device groups,
//     owner, types of addresses) and nobody said makes the answer Unknown.
//   - A match with a memory (limit, recent, quota ...) is asked of the packets
//     that meet all that stands in front of it, and only of them: what is not
//     reached is not charged. Each rule of the kernel has a memory of its own;
//     lists of recent, tables of hashlimit, estimators and accounts are shared
//     by name. Their memory is an xt.State's. Of an estimator that no rule of
//     the file feeds nothing is known; the kernel refuses such a rule.
//   - "--icmp-type any" (255) is every type, but needs the header.
//   - Conditions that can never hold stay in the rule as such: "! -i +",
//     "! -s 0.0.0.0/0", "! --sport :", flags outside their mask.
//   - A comma list of addresses makes one rule per combination, numbered as
//     the kernel numbers them. What one rule of lists cannot say ("--ports",
//     "! --icmp-type 3/1") becomes several that never match
//     the same packet and share one Action.Number.
//   - Files may have the commands of the tools besides -A: -I, -D, -R, -C, -N,
//     -X, -E, -F, -Z and -P, with the same effect on the table that is committed.
//   - A built-in chain that a file does not mention exists and accepts.
//
// # What is not modelled
//
// The parser never drops a rule. A match, target or option that is not
// modelled fails the file with an [rules.UnsupportedError] that lists every one of
// them. With Options.AllowUnknown such rules are kept as unknown (see
// rules.Rule.Unknown): an unknown match keeps the rule's other conditions,
// which it can only narrow; an unknown target makes the rule's answer unknown.
//
// # Targets
//
// A target that is applied leaves an xt.Effect, in order. Those that change
// the packet (MARK, CONNMARK, TOS, DSCP, ECN, TTL, HL, TCPMSS, TCPOPTSTRIP,
// HMARK, CT, SNPT, DNPT, SET, and translation of addresses) change its fields,
// its connection and a copy of its bytes, and later rules see that. Where it
// is not known whether such a rule matches, the answer is Unknown; those that
// only report (LOG, NFLOG, AUDIT, TEE and the like) leave an effect that says
// so, and the packet goes on.
//
//   - NAT targets see what begins a connection, accept it, and give the
//     connection its new addresses. Which one of a range it gets is the
//     kernel's own hash. A port that the kernel draws comes from
//     xt.State.Random. Addresses and ports that other connections have are not
//     known: the kernel would avoid them.
//   - REDIRECT needs the address of the interface, packet.Env.InAddr, but for
//     packets of the machine's own, and is Unknown without. MASQUERADE without
//     packet.Env.OutAddr leaves the source as it was and says so in its effect:
//     no table comes behind it in a kernel.
//   - TPROXY needs to know whether a transparent socket takes the packet
//     (packet.Env.Transparent), TCPMSS --clamp-mss-to-pmtu the path's MTU.
//     SYNPROXY takes SYNs away (Stolen), and is Unknown for the ACK that brings
//     its cookie back.
//   - "NFQUEUE --queue-bypass" has the verdict Queue, as if a program listened.
//
// # What there is
//
// Matches and targets come from one registry that parser, printer, errors,
// documents and queries share: [Describe] returns it as a [Catalog], [Check]
// reads a single value, EXTENSIONS.md is a table of it. [WriteJSON] and
// [ReadJSON] are the JSON form of rule sets, [Schema] its JSON Schema.
//
// Sources: the manual pages iptables(8), iptables-extensions(8) and iptables-save(8), and the behaviour of Linux
// 6.18 with iptables 1.8.
package iptables

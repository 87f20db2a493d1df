// Package order keeps the order of the rules of a list that is edited while it
// is in use.
//
// Each rule has a label, a number below 2^30, and labels ascend with the order
// of the rules. A rule that is put between two others gets a label between
// theirs, so that a position in the middle costs no renumbering of what is
// behind; only where labels have run out are a few rules given others (Room and
// Relabel in label.go).
//
// Map finds the entry of a label, and counts and lists entries in order. It is
// persistent: an Editor makes a new version that shares all but the nodes on the
// way to what it changes, and nothing that a Map can reach is ever stored to.
//
// # Structure
//
// The map is a radix tree of fixed shape. Spread gives n entries labels 2^g
// apart; a leaf holds the labels of 64 such gaps in ascending order, a node 64
// leaves, and the top has a pointer for each node of the labels in use. A label
// of entry i of a spread list of 100,000, g = 12:
//
//	bit 29       24 23       18 17       12 11          0
//	   +-----------+-----------+-----------+-------------+
//	   | node in   | leaf in   | slot in   | half a gap  |
//	   | the top   | the node  | the leaf  |             |
//	   +-----------+-----------+-----------+-------------+
//
//	top ---> node ---> leaf: +2048 e0 | +6144 e1 | +10240 e2 | ... 64 slots
//	counts   lens      (label from the leaf's first, entry)
//
// After edits an entry is no longer in the slot that its label says, but near: a
// look-up interpolates, and scans from there. A leaf that outgrows 128 slots
// becomes a node of leaves with 64 times narrower spans, and one that shrinks to
// 64 a leaf again, so that any labels will do; well spread ones need three
// dependent loads.
//
// # Cost
//
// On one core of an AMD EPYC server (bench_test.go), at 1,000, 100,000 and
// 1,000,000 entries as they were spread, and with a quarter more inserted at
// random places:
//
//	look-up, warm            5     5     5 ns      8     8     9 ns
//	look-up, then the entry,
//	at random                5    10    56 ns     21    35   148 ns
//	position of a label     33    52   243 ns     41    65   275 ns
//	entry at a position     24    41   137 ns     23    46   260 ns
//	an edit, frozen        0.7   1.2   3.2 us    0.7   1.4   4.1 us
//	allocated by it        1.9   2.2   4.9 KB    2.2   2.5   5.3 KB
//
// More than half of an edit is the garbage collector's work. Memory is 16 bytes
// an entry. Further edits before the next Freeze copy nothing that is copied
// already.
package order

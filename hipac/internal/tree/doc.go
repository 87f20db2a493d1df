// Package tree is the compiled classifier: one adaptive multi-dimensional
// interval tree over key words, in flat arrays.
//
// # Theory of operation
//
// Problem. N rules, each a box over the words of a key (package lower), in
// order of priority; find the lowest rank whose box holds the key. Walking
// the list costs N comparisons. Cutting space along one word after another
// (nf-HiPAC, HiCuts) leads to a handful of rules in a few steps, but a rule
// that is wide in the word being cut must be copied into every part: on
// common firewall sets, where rules are wide in source OR destination, the
// copies grow quadratically.
//
// Structure. Cut, but do not copy: the rules of a node that would be copied
// into too many parts are taken out into a subtree of their own, the node's
// span. (nf-HiPAC has it for rules without any condition on a field; here it is
// for all that are wide at a node, and in every field.) A lookup walks down to
// one leaf, remembering the spans it passes, and then walks those whose best
// rank can still beat what it has found. Copies that remain are paid from a
// budget (Config.Replication), so that memory is linear in the rules whatever
// they are.
//
// There are four kinds of nodes, named by a 64-bit reference that holds all
// that is needed to follow it, so that a step costs one dependent load:
//
//	table     2^b slots, indexed by b bits of one word at a shift. Leading
//	          bits that all rules of the node share are skipped unseen
//	          (as in a Patricia trie); the leaf verifies them.
//	interval  up to 15 bounds of one word in one cache line, found by
//	          counting; 16 references behind. For ranges and small fields.
//	leaf      a few rules in order, compared column by column. Only the words
//	          that some rule of the leaf still has to test are columns.
//	bucket    many rules that no cut separates, as bitmaps by the blocks of each
//	          word, whose intersection holds the candidates (package bitvec).
//
// A table of one slot, a link, only carries a span: that of an interval node, or
// the rest of a chain of leaves.
//
// A worked example, words src and dport, four rules, as if a leaf were for one or
// two rules (four make one leaf):
//
//	r0 src=10.1.0.0/16 dport=80
//	r1 src=10.2.0.0/16
//	r2 dport=22
//	r3 src=10.0.0.0/8
//
//	table src bits 16..23 (skips "10.")     span: leaf [r2]   best 2
//	  ├ 1 ── leaf [r0: src dport, r3]
//	  ├ 2 ── leaf [r1]
//	  └ else leaf [r3]
//
// r2 covers the whole node and goes to the span; r3 contains the skipped
// prefix and is kept in every slot, all but two of which share one leaf. A
// packet 10.2.3.4:22 loads slot 2, finds r1 in the leaf, and never looks at
// the span, whose best rank is 2. A packet 192.168.2.1:22 loads the same slot
// because the first octet was skipped; the leaf refutes r1, the span says r2.
//
// What a step costs, in ns on an AMD EPYC server of 3.6 GHz, with all in a cache
// of 1 MiB; more is memory that has to come from further off:
//
//	table       8    one load, which depends on the one before it
//	interval   12    a line and a load
//	leaf        8    its line, and 1.5 for each row compared
//	span        4    besides its subtree; of those waiting, a third is visited
//	bucket    250    in 5 words; see package bitvec
//
// Depth is at most maxDepth, spans nest at most maxSpans deep, and at most
// maxPending wait at a time.
//
// Why spans, and not copies. Of the twelve ClassBench families at 100,000 rules
// a rule stands in 1.1 rows on average, and a lookup visits 0.6 spans; nf-HiPAC,
// which copied, took 57 to 136 kB a rule on common sets. The other known way, a
// tree for each combination of wide fields, makes every lookup walk all trees.
//
// Planning. The cut of a node is chosen by what it makes a lookup visit, one
// level ahead (plan.go). Rules that can never be the answer at a node, because
// an earlier one covers all keys that get there, are dropped (hidden.go).
//
// Leaves. Rows are blocks of 32 bytes, two to a cache line, and which words they
// test is in the leaf's reference (leaf.go), so that nothing but the rows is
// read, and vector instructions compare four at once.
//
// Batches. One lookup is a chain of loads and of branches that nobody can
// foretell; 64 side by side are neither. The AVX-512 walk (batch_amd64.s) keeps
// a queue for each kind of node and steps through tables eight at a time.
//
// # The worst case
//
// Rules that are nested, shifted, crossing or wide in every field cannot be
// cut: each part of a cut has most of them, or the span has. While a node is
// built its cost is added up, the mean lookup and the worst, spans included.
// Where a bucket of all its entries would take less in the mean, or where the
// worst lookup exceeds that of the bucket by more than bucketSlack, what was
// built is taken back and the bucket stands in its place. Common sets have no
// bucket at all.
//
// A lookup therefore does no more than this in a set of n entries over d words:
//
//   - It meets each entry at most once. At a node an entry is in the span, or it
//     is in children of which the lookup enters one. By induction over the tree,
//     the leaves and buckets that one lookup enters hold different entries.
//   - A leaf has at most bucketRows rows. A bucket of m entries costs d*(m/64 +
//     m/4096) words of bitmaps, m rounded up to 512, so that all of them together
//     cost d*n/63 words and what rounding adds to each. Here d counts the words
//     that rules constrain, an eighth of the fields (which of them are absent),
//     and the eights, or fours where memory is short, of bits that masks ask for.
//   - A candidate is in vain when it has a boundary within the key's block in
//     some word, of which a word of 512 blocks has at most 2b/512 for b boundaries,
//     two for each range of each rule. Masks and absent fields are told exactly
//     (see sieve.go). What is left in doubt are ranges of fields of several words,
//     negated masks, conditions that also hold for absent fields, and masks for
//     which there is no memory: a lookup may ask the programs of all such rules.
//
// Bound gives these figures for a compiled tree, by walking it. For 100,000
// rules of the 5-tuple, ranges in every field, they are 9,600 words and 1,600
// candidates; measured, the worst lookups take 4 to 8 microseconds, by masks in
// both addresses 15.
//
// Buckets take bucketBytes per entry where there is so much. What all buckets
// take is bounded by bucketsBytes per entry of the root, so that memory stays
// linear: 32 bytes per copy, 16 per slot, and that. A bucket that would exceed
// Config.MaxBytes, which is known before anything of it is allocated, becomes a
// chain of leaves in order of rank, which costs a row per entry, and when there
// is no memory for that either the build fails.
//
// # References
//
// nf-HiPAC (Bellion, Heinz 2002); Gupta, McKeown, "Packet
// Classification using Hierarchical Intelligent Cuttings" (HotI 1999); Singh
// et al., HyperCuts (SIGCOMM 2003); Vamanan et al., EffiCuts (SIGCOMM 2010);
// Daly, Torng, ByteCuts (INFOCOM 2018); DBTable (2024); pipapo (Linux,
// nft_set_pipapo.c); Lakshman, Stiliadis, bit vectors
// (SIGCOMM 1998); Baboescu, Varghese, aggregated bit vectors (SIGCOMM 2001).
package tree

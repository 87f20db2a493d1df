// Package hipac is a packet classifier: it compiles an ordered list of rules
// over many fields and finds the first one that matches a packet in a time
// nearly independent of the number of rules.
//
// Make rules with package rules, compile them with [Build], and look packets
// up. A lookup takes a [rules.Key], a packet's field values laid out by the
// rules' schema, a 5-tuple ([rules.Tuple]) or a packet decoded by package
// rules/packet ([Classifier.LookupPacket]). Chains that call one another, as
// iptables has them, are a [rules.Table] and compile with [BuildTable].
//
// # What it answers
//
//   - [Classifier.Lookup]: the first rule that matches, with the caller's own
//     value. [Classifier.LookupBatch] for many packets at a time.
//   - [Classifier.LookupAll]: every rule that matches, in order.
//   - [Classifier.Executed]: the rules that were executed on the way: those
//     that continue, and the one that decided.
//   - [Table.Evaluate] and [Table.Trace]: the same for chains, of a packet
//     known by its key. [Table.Run] and [Tables.Run]: of a packet with its bytes,
//     its connection and the memory of rules (package rules/xt), through one
//     table or all tables of its way.
//   - [Analysis]: which rules can never decide, which meet a region.
//
// # Files
//
// [Classifier.Save] writes a compiled classifier to a file, and [Open] maps it: it
// is checked and used as it lies, in milliseconds for 100,000 rules, by many
// processes at a time. [Load] and [LoadBytes] do so from a reader and from memory.
// Values go through a [Codec]. [Tables.AddTo] and [LoadTables] are for compiled
// tables, beside the rules that they were made of.
//
// # Rules that change
//
// [NewLive] makes a list that is edited while lookups go on. A transaction
// ([Live.Begin], [Live.Edit]) inserts, deletes, replaces and moves rules, each
// known by its identity; its edits are seen all at once when it commits, in some
// microseconds for a few edits among 100,000 rules. [Live.Snapshot] is the newest
// version, which stays what it is; [Live.Apply] makes the smallest edits that lead
// to a whole new list; [Live.Reader] counts packets and bytes by rule.
//
// [NewLiveTables] does the same for tables of chains: a transaction
// ([LiveTables.Edit]) edits rules, chains, policies and tables, any number of them
// at once; loops and limits are found when it commits. [TablesSnapshot.Run] sends a
// packet along its way through the tables of one version; [LiveTables.Apply] takes
// over a new file. A table that was just edited is evaluated chain by chain, 3 to 6
// times slower than compiled, until it has been quiet for a while, and takes some
// 300 bytes a rule more. [TableSnapshot.Source] is a version as a [rules.Table].
//
// # Concurrency
//
// Everything that Build returns is immutable: any number of goroutines may
// call any method. Lookups of the first match take no lock and allocate
// nothing; the first call of LookupAll, Matches or Executed compiles what they
// need while others wait for it (Options.AllMatches has Build do that).
//
// A Live and LiveTables may be used by any number of goroutines too. Lookups load one pointer, to
// a version that is immutable; transactions take turns. Versions share all but
// the nodes on the way to what an edit changed (path copying; the head of
// internal/tree/edit.go says how), and go with the garbage collector when nobody
// holds them any more.
//
// # Cost
//
// The rules become one tree in flat arrays without pointers (the idea and its
// bounds stand at the head of package internal/tree): some 40 to 140 bytes a
// rule, and one cache line or so per level, of which there are few. Memory is
// linear in the number of rules whatever they are (Options.Replication,
// Options.MemoryLimit). Rules that no cut tells apart are found by intersecting
// bitmaps, at about d*n/63 words of 64 bits for n rules that constrain d words,
// a word more counted for every eight fields; [Stats] has the bound of a
// classifier.
//
// Chains are compiled into the lists that jump to them where that changes no
// answer and does not double the table (the head of inline.go says how), so
// that a packet takes a lookup for each rule that it meets with a test or a
// target of its own, for each chain that is called, and one more for each
// table; between them any number of rules that only count or do not match. What
// tests and targets do is their own cost. Packets that are cut inside a header,
// which the kernel drops at the first rule that reads it, have a second tree,
// compiled when the first one comes ([Table.BuildCut]).
//
// The second engine, [Index], answers from per-field interval indexes and
// roaring bitmaps; it is slower, and there to check the first.
package hipac

package report

// What the reader must know of engines and sets to compare their figures: where
// they are from, and what they do that others do not. The results say none of it.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// engineNotes are texts of engines by how their names begin, in order; only those
// of measured engines are shown.
var engineNotes = []struct{ name, text string }{
	{"linear", "linear: a walk along the rules, packed; written here."},
	{"tuplespace", "tuplespace: V. Srinivasan, S. Suri, G. Varghese, Packet Classification using Tuple Space Search, SIGCOMM 1999."},
	{"tuplemerge", "tuplemerge: J. Daly et al., TupleMerge: Fast Software Packet Processing for Online Packet Classification, IEEE/ACM Transactions on Networking 27(4), 2019."},
	{"partitionsort", "partitionsort: S. Yingchareonthawornchai, J. Daly, A. X. Liu, E. Torng, A Sorted Partitioning Approach to High-speed and Fast-update OpenFlow Classification, ICNP 2016."},
	{"bitvector", "bitvector: T. V. Lakshman, D. Stiliadis, High-Speed Policy-based Packet Forwarding Using Efficient Multi-dimensional Range Matching, SIGCOMM 1998."},
	{"abv", "abv: F. Baboescu, G. Varghese, Scalable Packet Classification, SIGCOMM 2001."},
	{"dimtree", "dimtree: M. Bellion, T. Heinz, nf-HiPAC, High Performance Firewall for Linux Netfilter, 2002–2005."},
	{dpdk, "dpdk-acl: DPDK’s library, built for speed, with as much memory as it may take; its way for one packet takes one a call, the others 32. Packets are laid out before the clock starts."},
	{"tailscale", "tailscale: its rules only allow, so that it says whether some rule allows a packet, not which rule is the first. Packets are parsed before the clock starts."},
	{"gvisor", "gvisor: packet buffers are made before the clock starts. It walks along the rules."},
	{"nebula", "nebula: asked about the first packets of connections only; later ones do not come to its rules."},
	{"bart", "bart: a table of prefixes, for lists that ask for one address alone."},
}

// setNote is a text of sets; %s is their names.
type setNote struct {
	begins *regexp.Regexp
	text   string
}

// setNotes are texts of sets by how their names begin.
var setNotes = []setNote{
	{regexp.MustCompile(`^(acl|fw|ipc)\d+$`), "%s: IPv4 5-tuples in the manner of ClassBench, by this project’s generator, with its own rounded profiles after D. E. Taylor, J. S. Turner, ClassBench: A Packet Classification Benchmark, IEEE/ACM Transactions on Networking 15(3), 2007; no files of ClassBench itself."},
	{regexp.MustCompile(`^nf-hipac$`), "%s: rules over the 12 dimensions of the original nf-HiPAC, most of them open in most rules."},
	{regexp.MustCompile(`^blocklist$`), "%s: single source addresses to drop, and some prefixes."},
	{regexp.MustCompile(`^nested$`), "%s: rules within one another in every field, the innermost first."},
	{regexp.MustCompile(`^shifted$`), "%s: ranges of half of each field, each a step beyond the one before."},
	{regexp.MustCompile(`^crossing$`), "%s: rules that ask for one field each, by turns, so that all cross."},
	{regexp.MustCompile(`^wide$`), "%s: random ranges over a tenth or more of every field."},
}

// notesOf returns the texts of the engines and sets that were measured.
func notesOf(points []point) []string {
	points = where(points, func(p *point) bool { return p.Command != "iptables" })
	engines, sets := distinct(points, engineOf), distinct(points, setOf)
	var own, projectsText, setTexts []string
	for _, n := range engineNotes {
		if !slices.ContainsFunc(engines, func(e string) bool { return e == n.name || n.name == dpdk && strings.HasPrefix(e, dpdk) }) {
			continue
		}
		if look(n.name).group == textbook {
			own = append(own, n.text)
		} else {
			projectsText = append(projectsText, n.text)
		}
	}
	for _, n := range setNotes {
		if of := slices.DeleteFunc(slices.Clone(sets), func(s string) bool { return !n.begins.MatchString(s) }); len(of) > 0 {
			setTexts = append(setTexts, fmt.Sprintf(n.text, listed(of)))
		}
	}
	var out []string
	if setTexts != nil {
		out = append(out, "The sets. "+strings.Join(setTexts, " "))
	}
	if own != nil {
		out = append(out, "The textbook rivals are this project’s own implementations, not their authors’. "+strings.Join(own, " "))
	}
	if projectsText != nil {
		out = append(out, "Other projects. "+strings.Join(projectsText, " "))
	}
	return out
}

// absent says what a reader may look for and does not find.
func absent(points []point) string {
	has := func(m string) bool {
		return slices.ContainsFunc(points, func(p point) bool { return p.Metric == m })
	}
	var out []string
	for i, m := range trafficMetrics {
		if !has(m) {
			out = append(out, []string{"packets inside random rules", "flows by Zipf’s law", "packets that no rule matches", "the costliest packets"}[i])
		}
	}
	if !slices.ContainsFunc(points, func(p point) bool { return strings.HasPrefix(p.Set, "kube") }) {
		out = append(out, "chains as kube-proxy makes them")
	}
	// The results do not say of which version of IP a set is; those of other names
	// may be of IPv6.
	if !slices.ContainsFunc(points, func(p point) bool {
		return p.Command != "iptables" && !adversarial(p.Set) && !slices.ContainsFunc(setNotes, func(n setNote) bool { return n.begins.MatchString(p.Set) })
	}) {
		out = append(out, "rules of IPv6 alone")
	}
	return "Not in these results: " + listed(out) + ". Among the rivals there is none of the decision trees (HiCuts, HyperCuts, EffiCuts, CutSplit and their kin)."
}

// limits says what bench all grants an engine, as far as its command tells.
func limits(commands []string) string {
	i := slices.IndexFunc(commands, func(c string) bool { return strings.HasPrefix(c, "bench all") })
	if i < 0 {
		return ""
	}
	words := strings.Fields(commands[i])
	flag := func(name, otherwise string) string {
		for i, w := range words {
			if v, ok := strings.CutPrefix(w, "--"+name+"="); ok {
				return v
			}
			if w == "--"+name && i+1 < len(words) {
				return words[i+1]
			}
		}
		return otherwise
	}
	text := fmt.Sprintf("An engine may take %s to build and %s\u00a0MiB of memory, never more than a third of what is free; the seed of rules and packets is %s.", flag("timeout", "1m"), flag("memory", "2048"), flag("seed", "1"))
	if !slices.Contains(words, "--quick") {
		text += " Random packets are 100\u202f000 for each list; engines that are slow take part of them in a round."
	}
	return text
}

package report

// What the reader must know of engines and sets to compare their figures: where
// they are from, and what they do that others do not. The results say none of it.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/bench/result"
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

// notesOf returns the texts of the engines and sets that were measured; what the
// results say of an engine goes before what is known here.
func notesOf(d *data) []string {
	points := where(d.points, func(p *point) bool { return p.Command != "iptables" })
	engines, sets := distinct(points, engineOf), distinct(points, setOf)
	var own, projectsText, setTexts []string
	said := map[string]bool{}
	for _, e := range engines {
		if text := d.said(e); text != "" {
			said[e] = true
			if same := ": " + text; look(e).group == textbook {
				own = append(own, e+same)
			} else if i := slices.IndexFunc(projectsText, func(t string) bool { return strings.HasSuffix(t, same) }); i >= 0 {
				projectsText[i] = strings.TrimSuffix(projectsText[i], same) + ", " + e + same
			} else if look(e).group == projects {
				projectsText = append(projectsText, e+same)
			}
		}
	}
	for _, n := range engineNotes {
		if slices.ContainsFunc(engines, func(e string) bool { return said[e] && strings.HasPrefix(e, n.name) }) {
			continue
		}
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
			setTexts = append(setTexts, strings.ReplaceAll(fmt.Sprintf(n.text, listed(of)), "IPv4", d.family()))
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

// said is what the results tell of an engine, "" for nothing.
func (d *data) said(engine string) string {
	for _, r := range slices.Backward(d.runs) {
		for _, e := range r.Engines {
			if e.Name == engine && e.Source+e.Note != "" {
				text := strings.TrimSuffix(e.Source, ".")
				if text != "" {
					text += ". "
				}
				return strings.TrimSpace(text + e.Note)
			}
		}
	}
	return ""
}

// family is the version of IP of generated rules.
func (d *data) family() string {
	family := "IPv4"
	for _, r := range d.runs {
		if r.Settings != nil && r.Settings.Family != "" {
			family = r.Settings.Family
		}
	}
	return family
}

// absent says what a reader may look for and does not find.
func absent(d *data) string {
	points := d.points
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
	if d.family() == "IPv4" && !slices.ContainsFunc(points, func(p point) bool {
		return p.Command != "iptables" && !adversarial(p.Set) && !slices.ContainsFunc(setNotes, func(n setNote) bool { return n.begins.MatchString(p.Set) })
	}) {
		out = append(out, "rules of IPv6 alone")
	}
	return "Not in these results: " + listed(out) + ". Among the rivals there is none of the decision trees (HiCuts, HyperCuts, EffiCuts, CutSplit and their kin)."
}

// limitsOf says what an engine may take, from the settings of a run or, in older
// results, from its commands.
func limitsOf(r *result.Run) string {
	s := r.Settings
	if s == nil {
		return limits(r.Commands)
	}
	var out []string
	if s.Timeout > 0 {
		out = append(out, fmt.Sprintf("A build may take %g\u00a0s of CPU time.", s.Timeout))
	}
	if s.Memory > 0 {
		out = append(out, "An engine may take "+byteText(float64(s.Memory))+" of memory, never more than a third of what is free.")
	}
	out = append(out, fmt.Sprintf("The seed of rules and packets is %d.", s.Seed))
	if s.Packets > 0 {
		out = append(out, fmt.Sprintf("Of each kind of traffic there are %s packets, repeated ones counted; engines that are slow take part of them in a round.", grouped(s.Packets)))
	}
	if s.Clock != "" && s.Clock != "thread CPU time" {
		out = append(out, "CPU times are "+s.Clock+": the system tells no better.")
	}
	return strings.Join(out, " ")
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

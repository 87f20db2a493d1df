package main

// The command iptables: loading rules and the walk of a packet along them, by the
// kernel's tools and by ours.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
)

type iptablesCmd struct {
	ChainRules int           `default:"10000" placeholder:"N" help:"Rules that are loaded in chains (default 10000; 0: none)."`
	Chains     int           `default:"1000" placeholder:"N" help:"Chains that they are in (default 1000)."`
	Rules      []int         `default:"10000,100000" placeholder:"LIST" help:"Numbers of rules that are loaded in one chain, with commas between them (default 10000,100000)."`
	Walk       []int         `default:"1000,10000,100000" placeholder:"LIST" help:"Numbers of rules that a packet passes (default 1000,10000,100000)."`
	Rounds     int           `default:"3" placeholder:"N" help:"Times that a file is loaded (default 3); fewer where it takes longer than 10 seconds."`
	Timeout    time.Duration `default:"2m" placeholder:"TIME" help:"Time that a tool may take to load a file (default 2m)."`
	JSON       bool          `name:"json" help:"Print one JSON object."`
}

// mostKernelRules bounds the rules of a file: the kernel's memory is not ours.
const mostKernelRules = 1_000_000

// Help is shown in front of the flags.
func (iptablesCmd) Help() string {
	return `Times iptables-legacy-restore, iptables-nft-restore and nft -f of this machine, in
a network namespace of its own, which takes root on Linux; and the same rules by
hipac. A tool that is not there, fails or takes too long is skipped, and the reason
is told.

Loading is the time by the clock from a tool's start to its end; ours is reading the
same file and building. The files are of simple rules, an address, a protocol and a
port each: in one chain, and in many that are entered by destination. Loading 10,000
rules in 1,000 chains took iptables 4 minutes and 30 seconds in 2003.

The walk is what rules that do not match add to the CPU time of sending a packet: UDP
over the loopback of the namespace, the rules in OUTPUT, the same packet again and
again, less the same without rules. nft-set is one rule of nft with the rules as
elements of a set of address and port that may hold intervals (pipapo). Ours is from the bytes
of the packet to its verdict. That a packet passes all rules is checked first: one
that only the last rule is about is dropped.

At an interrupt what was measured by then is printed, and the exit code is 1.

Examples:

    bench iptables
    bench iptables --rules 10000 --walk 1000,10000 --json

Printed are lines of Go's benchmark format, BenchmarkIptables, one for each round.
With --json: machine, commands, engines (with the tools' versions), points and missing; metrics are load, of ours also
load_read and load_build (s), packet (ns, all of sending it) and packet_walk (ns,
what rules add).`
}

// Names of the sets of rules.
const (
	setChains = "chains"
	setFlat   = "flat"
)

// Ports of packets. Only the last rule is about a packet to portLast.
const (
	portPasses = 5001
	portLast   = 5002
)

// filterRule is a rule of the files, of UDP: its source and its destination port.
type filterRule struct {
	addr string
	port int
}

// kernelRules are rules for the chain OUTPUT: chains that are entered by
// destination, or none, and rules of the chain itself.
type kernelRules struct {
	set    string
	rules  int // jumps counted
	chains [][]filterRule
	own    []filterRule
}

// flatRules returns n rules, the last of which matches packets from the loopback
// to portLast.
func flatRules(n int) *kernelRules {
	k := &kernelRules{set: setFlat, rules: n}
	for i := range n {
		k.own = append(k.own, filterRule{fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), 1 + i%5000})
	}
	if n > 0 {
		k.own[n-1] = filterRule{"127.0.0.1", portLast}
	}
	return k
}

// chainRules returns n rules in so many chains, each with a rule that enters it.
func chainRules(n, chains int) *kernelRules {
	k := &kernelRules{set: setChains, rules: n, chains: make([][]filterRule, chains)}
	for i := range n - chains {
		c := i % chains
		k.chains[c] = append(k.chains[c], filterRule{fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), 1 + i%5000})
	}
	return k
}

// enter is the destination that enters a chain.
func enter(chain int) string { return fmt.Sprintf("11.%d.%d.0/24", chain>>8&255, chain&255) }

// save writes the rules for iptables-restore.
func (k *kernelRules) save() string {
	var b strings.Builder
	b.WriteString("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n")
	for i := range k.chains {
		fmt.Fprintf(&b, ":c%d - [0:0]\n", i)
	}
	for i := range k.chains {
		fmt.Fprintf(&b, "-A OUTPUT -d %s -j c%d\n", enter(i), i)
	}
	write := func(chain string, list []filterRule) {
		for _, r := range list {
			fmt.Fprintf(&b, "-A %s -s %s/32 -p udp -m udp --dport %d -j DROP\n", chain, r.addr, r.port)
		}
	}
	for i, c := range k.chains {
		write(fmt.Sprintf("c%d", i), c)
	}
	write("OUTPUT", k.own)
	b.WriteString("COMMIT\n")
	return b.String()
}

// nft writes the rules for nft.
func (k *kernelRules) nft() string {
	var b strings.Builder
	b.WriteString("table ip filter {\n")
	write := func(list []filterRule) {
		for _, r := range list {
			fmt.Fprintf(&b, "ip saddr %s udp dport %d drop\n", r.addr, r.port)
		}
		b.WriteString("}\n")
	}
	for i, c := range k.chains {
		fmt.Fprintf(&b, "chain c%d {\n", i)
		write(c)
	}
	b.WriteString("chain output {\ntype filter hook output priority 0; policy accept;\n")
	for i := range k.chains {
		fmt.Fprintf(&b, "ip daddr %s jump c%d\n", enter(i), i)
	}
	write(k.own)
	b.WriteString("}\n")
	return b.String()
}

// nftSet writes rules without chains as elements of one set, with intervals.
func (k *kernelRules) nftSet() string {
	var b strings.Builder
	b.WriteString("table ip filter {\nset s {\ntype ipv4_addr . inet_service\nflags interval\n")
	for i, r := range k.own {
		if i == 0 {
			b.WriteString("elements = {\n")
		}
		fmt.Fprintf(&b, "%s . %d,\n", r.addr, r.port)
	}
	if len(k.own) > 0 {
		b.WriteString("}\n")
	}
	b.WriteString("}\nchain output {\ntype filter hook output priority 0; policy accept;\nip saddr . udp dport @s drop\n}\n}\n")
	return b.String()
}

// loader is a tool that loads a file.
type loader struct {
	engine string
	args   []string
	text   func(*kernelRules) string
	walks  bool // only the walk is timed, not loading
}

var loaders = []loader{
	{engine: "iptables-legacy", args: []string{"iptables-legacy-restore"}, text: (*kernelRules).save},
	{engine: "iptables-nft", args: []string{"iptables-nft-restore"}, text: (*kernelRules).save},
	{engine: "nft", args: []string{"nft", "-f", "-"}, text: (*kernelRules).nft},
	{engine: "nft-set", args: []string{"nft", "-f", "-"}, text: (*kernelRules).nftSet, walks: true},
}

// Run measures.
func (cmd *iptablesCmd) Run(a *app) error {
	if cmd.ChainRules != 0 && (cmd.Chains < 1 || cmd.Chains > 60_000 || cmd.ChainRules > mostKernelRules || cmd.ChainRules < 2*cmd.Chains) {
		return files.BadUsage("--chain-rules %d in --chains %d: not 1..60000 chains with at least two rules each, %d rules in all", cmd.ChainRules, cmd.Chains, mostKernelRules)
	}
	for _, f := range []struct {
		name string
		list []int
	}{{"rules", cmd.Rules}, {"walk", cmd.Walk}} {
		for _, n := range f.list {
			if n < 1 || n > mostKernelRules {
				return files.BadUsage("--%s %d: not in 1..%d", f.name, n, mostKernelRules)
			}
		}
	}
	if cmd.Rounds < 1 || cmd.Rounds > 1000 {
		return files.BadUsage("--rounds %d: not in 1..1000", cmd.Rounds)
	}
	if cmd.Timeout <= 0 {
		return files.BadUsage("--timeout %s: not above 0", cmd.Timeout)
	}
	ctx, rec, stop := a.recording(cmd.JSON)
	defer stop()
	if missing, of, first := cmd.measure(ctx, a, rec); missing > 0 {
		rec.cut(ctx, missing, of, first)
	}
	return rec.end()
}

// iptablesPart is the command as a part of bench all.
func (r *allRun) iptablesPart() part {
	cmd := &iptablesCmd{ChainRules: 10_000, Chains: 1000, Rules: []int{10_000, 100_000}, Walk: []int{1000, 10_000, 100_000}, Rounds: 3, Timeout: 2 * time.Minute}
	weight := 150
	if r.cmd.Quick {
		cmd.ChainRules, cmd.Chains, cmd.Rules, cmd.Walk, cmd.Rounds, weight = 1000, 100, []int{1000}, []int{1000}, 1, 5
	}
	return part{"iptables", ruleset{name: setFlat, rules: slices.Max(cmd.Walk)}, weight, func(ctx context.Context) error {
		cmd.measure(ctx, r.sets.a, r.rec)
		return ctx.Err()
	}}
}

// measure measures all until the context ends, and returns how many of the parts
// are missing or not whole, and the first of them. What fails is recorded, and the
// rest goes on.
func (cmd *iptablesCmd) measure(ctx context.Context, a *app, rec *recorder) (missing, of int, first string) {
	recordTools(ctx, rec)
	var load []*kernelRules
	if cmd.ChainRules > 0 {
		load = append(load, chainRules(cmd.ChainRules, cmd.Chains))
	}
	for _, n := range sortedOnce(cmd.Rules) {
		load = append(load, flatRules(n))
	}
	walk := sortedOnce(cmd.Walk)
	// lost notes a part that is not measured, or not whole, since the context ended.
	lost := func(do string, k *kernelRules) {
		rec.missing(results.Gap{Command: "iptables", Engine: everybody, Set: k.set, Rules: k.rules}, context.Cause(ctx))
		if missing++; missing == 1 {
			first = fmt.Sprintf("%s, %s, %d rules", do, k.set, k.rules)
		}
	}
	bar := a.newProgress("loading", len(load)*len(loaders))
	done := 0
	for _, k := range load {
		if ctx.Err() == nil {
			rec.ownGap(ctx, k, cmd.ownLoad(ctx, a, rec, k))
		}
		for i := range loaders {
			if l := &loaders[i]; !l.walks && ctx.Err() == nil {
				if err := cmd.toolLoad(ctx, rec, l, k); err != nil {
					rec.gap(ctx, results.Gap{Command: "iptables", Engine: l.engine, Set: k.set, Rules: k.rules}, err)
				}
			}
			done++
			bar.at(done)
		}
		if ctx.Err() != nil {
			lost("loading", k)
		}
	}
	bar.done()
	bar = a.newProgress("sending", len(walk)*len(loaders))
	done = 0
	for _, n := range walk {
		k := flatRules(n)
		if ctx.Err() == nil {
			rec.ownGap(ctx, k, ownWalk(ctx, a, rec, k))
		}
		for i := range loaders {
			if l := &loaders[i]; ctx.Err() == nil {
				if err := cmd.kernelWalk(ctx, a, rec, l, k); err != nil {
					rec.gap(ctx, results.Gap{Command: "iptables", Engine: l.engine, Set: k.set, Rules: n}, err)
				}
			}
			done++
			bar.at(done)
		}
		if ctx.Err() != nil {
			lost("sending", k)
		}
	}
	bar.done()
	return missing, len(load) + len(walk), first
}

// errWrongVerdict means that ours is wrong, with which the command fails.
var errWrongVerdict = errors.New("wrong answers")

// ownGap records that ours was not measured, if it was not.
func (r *recorder) ownGap(ctx context.Context, k *kernelRules, err error) {
	if err == nil {
		return
	}
	r.gap(ctx, results.Gap{Command: "iptables", Engine: "hipac", Set: k.set, Rules: k.rules}, err)
	if errors.Is(err, errWrongVerdict) {
		r.wrong = append(r.wrong, fmt.Errorf("hipac, %s, %d rules: %w", k.set, k.rules, err))
	}
}

// sortedOnce returns the numbers in order, each once.
func sortedOnce(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// kernelTitles say what engines are.
var kernelTitles = map[string]string{
	"hipac":           "hipac",
	"iptables-legacy": "the kernel's ip_tables",
	"iptables-nft":    "the kernel's nf_tables, rules by iptables",
	"nft":             "the kernel's nf_tables, a list of rules",
	"nft-set":         "the kernel's nf_tables, a set with intervals",
}

// recordTools records what the engines are, with the versions of the tools that
// there are.
func recordTools(ctx context.Context, rec *recorder) {
	rec.engine(results.Engine{Name: "hipac", Title: kernelTitles["hipac"], Source: "this project"})
	for i := range loaders {
		l := &loaders[i]
		if version := toolVersion(ctx, l.args[0]); version != "" {
			rec.engine(results.Engine{Name: l.engine, Title: kernelTitles[l.engine], Source: version, Note: "loaded by " + strings.Join(l.args, " ")})
		}
	}
}

// toolVersion returns the first line of what a tool says that it is, or "".
func toolVersion(ctx context.Context, tool string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, tool, "--version")
	c.WaitDelay = time.Second
	out, err := c.Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// iptablesPoint is a point without its value.
func iptablesPoint(engine string, k *kernelRules, metric, unit string) results.Point {
	return results.Point{Command: "iptables", Engine: engine, Title: kernelTitles[engine], Set: k.set, Rules: k.rules, Metric: metric, Unit: unit}
}

// line prints a round.
func iptablesLine(rec *recorder, do, engine string, k *kernelRules, times int, figures ...figure) {
	rec.line("Iptables", []label{{"do", do}, {"set", k.set}, {"rules", k.rules}, {"engine", engine}}, times, figures...)
}

// enough is the time by the clock after which a file is not loaded again.
const enough = 10 * time.Second

// ownRules reads and builds the rules.
func ownRules(text string) (d *tableDecider, read, build time.Duration, err error) {
	start := time.Now()
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{File: "rules"})
	if err != nil {
		return nil, 0, 0, err
	}
	read = time.Since(start)
	t := rs.Table("filter")
	if t == nil || t.Find("OUTPUT") < 0 {
		return nil, 0, 0, errors.New("the file was read without its chain OUTPUT")
	}
	d = &tableDecider{table: t, entry: t.Find("OUTPUT")}
	start = time.Now()
	if err := d.build(); err != nil {
		return nil, 0, 0, err
	}
	return d, read, time.Since(start), nil
}

// ownLoad times reading and building by hipac, the answers checked first.
func (cmd *iptablesCmd) ownLoad(ctx context.Context, a *app, rec *recorder, k *kernelRules) error {
	text := k.save()
	d, _, _, err := ownRules(text)
	if err != nil {
		return err
	}
	f, err := d.frames(500, 1)
	if err != nil {
		return err
	}
	if wrong := wrongVerdicts(ctx, a, d, f, len(f.list), func(int) {}); wrong > 0 {
		return fmt.Errorf("%w: %d of %d packets get another verdict than by the reference walk", errWrongVerdict, wrong, len(f.list))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var read, build, all []float64
	for began := time.Now(); len(all) < cmd.Rounds && (len(all) == 0 || time.Since(began) < enough && ctx.Err() == nil); {
		_, r, b, err := ownRules(text)
		if err != nil {
			return err
		}
		read, build, all = append(read, r.Seconds()), append(build, b.Seconds()), append(all, (r+b).Seconds())
		iptablesLine(rec, "load", "hipac", k, 1, figure{float64((r + b).Nanoseconds()), "ns/op"},
			figure{float64(r.Nanoseconds()), "read-ns/op"}, figure{float64(b.Nanoseconds()), "build-ns/op"})
	}
	rec.point(iptablesPoint("hipac", k, "load", "s"), all...)
	rec.point(iptablesPoint("hipac", k, "load_read", "s"), read...)
	rec.point(iptablesPoint("hipac", k, "load_build", "s"), build...)
	return nil
}

// toolLoad times a tool that loads the rules, each time in a namespace that is
// new.
func (cmd *iptablesCmd) toolLoad(ctx context.Context, rec *recorder, l *loader, k *kernelRules) error {
	text := l.text(k)
	var all []float64
	for began := time.Now(); len(all) < cmd.Rounds && (len(all) == 0 || time.Since(began) < enough); {
		err := inNamespace(func() error {
			took, err := runTool(ctx, cmd.Timeout, l.args, text)
			if err == nil {
				all = append(all, took.Seconds())
				iptablesLine(rec, "load", l.engine, k, 1, figure{float64(took.Nanoseconds()), "ns/op"})
			}
			return err
		})
		if err != nil && (ctx.Err() == nil || all == nil) {
			return err
		}
		if err != nil {
			break
		}
	}
	rec.point(iptablesPoint(l.engine, k, "load", "s"), all...)
	return nil
}

// ownWalk times the verdict on the packet that the kernel gets, from its bytes.
func ownWalk(ctx context.Context, a *app, rec *recorder, k *kernelRules) error {
	d, _, _, err := ownRules(k.save())
	if err != nil {
		return err
	}
	f := &frames{name: "the kernel's"}
	for _, port := range []uint16{portPasses, portLast} {
		p := packet.Packet{Family: 4, Proto: packet.UDP, SrcPort: 40000, DstPort: port, Length: 60}
		p.Src = [4]uint32{0, 0, 0xffff, 127<<24 | 1}
		p.Dst = p.Src
		p.SetOut("lo")
		frame := p.AppendEthernet(nil)
		f.put(frame, len(frame), packet.LinkEthernet, p.Meta)
	}
	f.metas = f.metas[:1]
	for i, want := range []rules.Verdict{rules.Accept, rules.Drop} {
		var p packet.Packet
		p.Meta = f.metas[0]
		f.decode(&p, i)
		if got := d.decide(&p); got.Verdict != want {
			return fmt.Errorf("%w: packet %d of 2 gets %v, and not %v", errWrongVerdict, i+1, got.Verdict, want)
		}
	}
	if wrong := wrongVerdicts(ctx, a, d, f, 2, func(int) {}); wrong > 0 {
		return fmt.Errorf("%w: %d of 2 packets get another verdict than by the reference walk", errWrongVerdict, wrong)
	}
	f.list = slices.Repeat(f.list[:1], 1000)
	t := &timed{group: "packet", run: func(from, to int) { use(d.verdicts(f, from, to)) }}
	measure(ctx, []*timed{t}, len(f.list), a.effort, func(int) {})
	if len(t.ns) < leastPasses {
		return ctx.Err()
	}
	for _, ns := range t.ns {
		iptablesLine(rec, "packet", "hipac", k, t.packets*t.repeat, figure{ns, "walk-ns/op"})
	}
	rec.point(iptablesPoint("hipac", k, "packet_walk", "ns"), t.ns...)
	return nil
}

// kernelWalk times sending packets past the rules, and past none.
func (cmd *iptablesCmd) kernelWalk(ctx context.Context, a *app, rec *recorder, l *loader, k *kernelRules) error {
	var none, all []float64
	sent := 0
	err := inNamespace(func() error {
		s, err := newSender()
		if err != nil {
			return err
		}
		defer s.close()
		if none, _, err = s.times(ctx, a.effort); err != nil {
			return err
		}
		if _, err := runTool(ctx, cmd.Timeout, l.args, l.text(k)); err != nil {
			return err
		}
		if err := s.check(); err != nil {
			return err
		}
		all, sent, err = s.times(ctx, a.effort)
		return err
	})
	if err != nil {
		return err
	}
	base := median(none)
	walks := make([]float64, len(all))
	for i, ns := range all {
		walks[i] = ns - base
		iptablesLine(rec, "packet", l.engine, k, max(1, sent/len(all)), figure{ns, "ns/op"}, figure{walks[i], "walk-ns/op"})
	}
	rec.point(iptablesPoint(l.engine, k, "packet", "ns"), all...)
	if w := median(walks); w <= 0 {
		return fmt.Errorf("%d rules add nothing that can be told from the noise: %.0f ns a packet with them, %.0f without", k.rules, median(all), base)
	}
	rec.point(iptablesPoint(l.engine, k, "packet_walk", "ns"), walks...)
	return nil
}

// firstLine is the first line of what a program has printed.
func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(bytes.ToValidUTF8(out, []byte("?")))), "\n")
	return line
}

package main

// The command gen packets: packets for a rule set, as files.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

type genPacketsCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string   `placeholder:"NAME" help:"iptables: the table; filter when not given, or the only one." group:"Rules"`
	Chain           string   `placeholder:"NAME" help:"iptables: the built-in chain that packets enter at; when not given FORWARD, or the table's first." group:"Rules"`
	N               int      `name:"packets" default:"100000" placeholder:"N" help:"Number of packets (default 100,000), at most 2,147,483,647."`
	Mode            string   `enum:"uniform,zipf,trace,corners,overlaps,random,mixed,misses,worst" default:"uniform" placeholder:"MODE" help:"How packets are drawn, see above (default uniform)."`
	Seed            uint64   `default:"1" placeholder:"N" help:"Which of the packets (default 1): the same rules and flags give the same file on every machine."`
	Misses          float64  `placeholder:"SHARE" help:"Share of packets that are made such that no rule decides them, 0 to 1, in any mode but misses."`
	ButLast         bool     `help:"With misses: packets that nothing but a last rule for every packet decides are misses too. See above which families end in one."`
	Flows           *int     `placeholder:"N" help:"Different packets of zipf and mixed (default 10,000) and of worst (default 1,000), at most 10,000,000."`
	Repeat          *float64 `placeholder:"B" help:"uniform, trace, mixed: scale of the Pareto distribution of how often a packet comes (default 0.1, few; 1 is much locality)."`
	Tries           *int     `placeholder:"N" help:"worst: packets whose cost is asked (default 100,000)."`
	Real            bool     `help:"Packets that can be sent: only fields that their headers have, and plain values where rules ask for none. pcap packets and those for iptables rules always are."`
	Format          string   `enum:"auto,trace,csv,pcap" default:"auto" placeholder:"FORMAT" help:"trace (ClassBench's), csv or pcap; when not given trace for rules of the 5-tuple, else csv."`
	Out             string   `short:"o" placeholder:"FILE" help:"File to write; - for standard output."`
}

// Help is shown in front of the flags.
func (genPacketsCmd) Help() string {
	return fmt.Sprintf(`Modes:

    uniform   a packet inside each of random rules, repeated now and then
    zipf      few flows inside rules, the k-th as often as 1/k
    trace     the corners of rules, as ClassBench's trace generator has it
    corners   corners of rules, half of them a step outside in some field
    overlaps  where rules overlap
    random    random values of all fields
    mixed     all of these by turns
    misses    packets that no rule decides
    worst     packets that cost most, found by climbing: a lower bound of the
              worst case. Of a list the cost is the nodes and leaves that the
              tree enters and the rules and words that it compares; of chains
              the rules that a packet matches on its way

Formats: trace holds the 5-tuple, and the number from 0 of the rule that a packet
was drawn from; csv holds all fields; pcap holds packets with headers, whose
decoding gives the same keys. What no header holds (interfaces, connection state,
mark) is not in pcap files: hipac classify takes it as flags.

Of sets that bench gen rules has made, those with --smoothness 0 leave most packets
undecided, but for a last rule that is for all; others hardly any.
%s

Numbers may have k, M and G for powers of 1000.

Examples:

    bench gen packets --rules fw1.rules --packets 1M --out fw1.trace
    bench gen packets --rules fw1.rules --mode zipf --out fw1.trace
    bench gen packets --rules office.rules --mode worst --format csv --out worst.csv
    bench gen packets --rules services.save --table nat --chain PREROUTING --format pcap --out s.pcap
`, restNote())
}

// mostPackets and mostFlows bound what is made; flows are kept in memory.
const (
	mostPackets = math.MaxInt32
	mostFlows   = 10_000_000
)

// genSource is where packets come from, and what is asked of the rules for them.
type genSource struct {
	*workload.Source
	schema  *rules.Schema
	csv     *rules.Schema // of CSV files
	family  int
	rules   int
	catch   int                    // number of the first rule for every packet, 0: none
	check   func(k rules.Key) bool // the linear walk: whether a rule decides
	bound   int64                  // of the cost of any packet, 0: not known
	checked int
	frame   []byte // scratch
	unknown int    // packets of which nobody can say what becomes of them
	needs   string // what is not known
}

// Run makes the packets.
func (cmd *genPacketsCmd) Run(a *app) error {
	// What is not given is the default of the package workload.
	flows, repeat, tries := given(cmd.Flows, 1), given(cmd.Repeat, 1), given(cmd.Tries, 1)
	switch {
	case cmd.Out == "":
		return files.BadUsage("--out FILE is missing; - is standard output")
	case cmd.N < 1 || cmd.N > mostPackets:
		return files.BadUsage("--packets %d: not in 1..%d", cmd.N, mostPackets)
	case !(cmd.Misses >= 0 && cmd.Misses <= 1):
		return files.BadUsage("--misses %v: not in 0..1", cmd.Misses)
	case flows < 1 || flows > mostFlows:
		return files.BadUsage("--flows %d: not in 1..%d", flows, mostFlows)
	case !(repeat > 0 && repeat <= 1e6):
		return files.BadUsage("--repeat %v: above 0, and at most 1000000", repeat)
	case tries < 1 || tries > math.MaxInt32:
		return files.BadUsage("--tries %d: not in 1..%d", tries, math.MaxInt32)
	case cmd.Flows != nil && !cmd.is("zipf", "mixed", "worst"):
		return files.BadUsage("--flows: mode %s has none; zipf, mixed and worst have", cmd.Mode)
	case cmd.Repeat != nil && !cmd.is("uniform", "trace", "mixed"):
		return files.BadUsage("--repeat: mode %s does not repeat packets so; uniform, trace and mixed do", cmd.Mode)
	case cmd.Tries != nil && !cmd.is("worst"):
		return files.BadUsage("--tries: mode %s looks for no worst packets; worst does", cmd.Mode)
	case cmd.Misses > 0 && cmd.is("misses"):
		return files.BadUsage("--misses: in mode misses all packets are; the other modes take a share")
	case cmd.ButLast && !cmd.asks():
		return files.BadUsage("--but-last: no misses are asked for; --mode misses and --misses SHARE do")
	case cmd.Real && cmd.Format == "trace":
		return files.BadUsage("--real: a trace has ports for every packet, and real ones of some protocols have none: csv and pcap can hold them")
	}
	set, _, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	mode, _ := workload.ParseMode(cmd.Mode)
	if cmd.Mode == "random" {
		mode = workload.Misses
	}
	c := workload.PacketConfig{N: cmd.N, Seed: cmd.Seed, Mode: mode, Repeat: given(cmd.Repeat, 0), Flows: given(cmd.Flows, 0), Tries: given(cmd.Tries, 0), MissShare: cmd.Misses,
		Real: cmd.Real || cmd.Format == "pcap"}
	if cmd.Flows != nil {
		if err := checkMemory(fmt.Sprintf("keeping %d flows", flows), int64(min(flows, cmd.N))*400); err != nil {
			return err
		}
	}
	var src *genSource
	switch {
	case set.Native != nil:
		src, err = listSource(cmd, set.Native, c)
	case set.ClassBench != nil:
		src, err = listSource(cmd, set.ClassBench, c)
	default:
		c.Real = true
		src, err = tableSource(cmd, set, c)
	}
	if err != nil {
		return err
	}
	if err := src.fits(cmd); err != nil {
		return err
	}
	if err := distinct(cmd.Out, cmd.RuleFlags.Rules); err != nil {
		return err
	}
	if err := a.writeOut(cmd.Out, func(w io.Writer) error { return src.write(a, cmd, w) }); err != nil {
		if errors.Is(err, workload.ErrNoMisses) {
			err = src.noMisses(cmd, set.Name)
		}
		return err
	}
	src.report(a, cmd, set.Name)
	return nil
}

// given returns the value of a flag, and another one when it was not given.
func given[T any](flag *T, otherwise T) T {
	if flag == nil {
		return otherwise
	}
	return *flag
}

// is reports whether the mode is one of these.
func (cmd *genPacketsCmd) is(modes ...string) bool { return slices.Contains(modes, cmd.Mode) }

// asks reports whether the command needs to know whether rules decide a packet.
func (cmd *genPacketsCmd) asks() bool { return cmd.Misses > 0 || cmd.Mode == "misses" }

// listSource returns the source of packets for a list.
func listSource[T any](cmd *genPacketsCmd, l *rules.List[T], c workload.PacketConfig) (*genSource, error) {
	if cmd.Table != "" || cmd.Chain != "" {
		return nil, files.BadUsage("--table and --chain are for iptables rules")
	}
	src := &genSource{schema: l.Schema(), csv: l.Schema(), rules: l.Len()}
	for i, r := range l.All() {
		if len(r.Conds) == 0 && !r.Continue && r.Unknown == "" {
			src.catch = i + 1
			break
		}
	}
	last := -1 // the rule that does not count
	if cmd.ButLast {
		if src.catch == 0 || src.catch != l.Len() {
			return nil, fmt.Errorf("--but-last: the last rule is not one for every packet")
		}
		last = l.Len() - 1
	}
	if cmd.asks() || cmd.Mode == "worst" {
		tree, err := hipac.Build(context.Background(), l, &hipac.Options{FirstMatchOnly: true})
		if err != nil {
			return nil, err
		}
		if cmd.asks() {
			c.Matched = func(k rules.Key) bool {
				m, ok := tree.Lookup(k)
				return ok && l.Position(m.ID) != last
			}
			src.check = func(k rules.Key) bool {
				at, ok := l.First(k)
				return ok && at != last
			}
		}
		if cmd.Mode == "worst" {
			c.Cost = func(k rules.Key) int64 { return costOf(tree.Work(k)) }
			src.bound = costOf(tree.Stats().Worst)
		}
	}
	var err error
	src.Source, err = workload.NewSource(l, c)
	return src, err
}

func costOf(w hipac.Work) int64 {
	return w.Steps + w.Leaves + w.Spans + w.Rows + w.Words + w.Candidates
}

// tableSource returns the source of packets for chains.
func tableSource(cmd *genPacketsCmd, set *files.Rules, c workload.PacketConfig) (*genSource, error) {
	if cmd.ButLast {
		return nil, files.BadUsage("--but-last is for lists: a packet that no rule of a chain decides gets its policy")
	}
	if cmd.Table == "" && len(set.Tables.Tables) == 1 {
		cmd.Table = set.Tables.Tables[0].Name
	}
	table, entry, err := set.Choose(cmd.Table, cmd.Chain)
	if err != nil {
		return nil, err
	}
	src := &genSource{schema: table.Schema, family: set.Tables.Family}
	c.Family = src.family
	for i := range table.Chains {
		src.rules += table.Chains[i].Rules.Len()
	}
	// The columns: the 5-tuple, and what rules ask for beyond.
	var fields []rules.Field
	for i := range rules.Firewall.Len() {
		if f := *rules.Firewall.Field(i); i < 5 || table.Schema.Index(f.Name) >= 0 {
			fields = append(fields, f)
		}
	}
	src.csv = rules.MustSchema(fields...)
	if cmd.asks() || cmd.Mode == "worst" {
		tree, err := hipac.BuildTable(context.Background(), table, nil)
		if err != nil {
			return nil, err
		}
		// Packets as they will be read: decoded from their bytes.
		p, subject := new(packet.Packet), xt.NewTraversal(table.Schema)
		c.Matched = func(k rules.Key) bool {
			src.decode(k, p)
			subject.Start(p)
			r := tree.Run(subject, entry, nil)
			if r.Verdict == rules.Unknown {
				if src.unknown++; src.unknown == 1 {
					src.needs = r.Needs
				}
			}
			return r.By.Rule >= 0
		}
		src.check = func(k rules.Key) bool {
			src.decode(k, p)
			subject.Start(p)
			return table.Run(subject, entry, nil).By.Rule >= 0
		}
		c.Cost = func(k rules.Key) (n int64) {
			src.decode(k, p)
			subject.Start(p)
			tree.Run(subject, entry, func(rules.Place) { n++ })
			return n
		}
	}
	src.Source, err = workload.NewTableSource(table, entry, c)
	return src, err
}

// fits says what the format of the packets is, and whether it can hold them.
func (src *genSource) fits(cmd *genPacketsCmd) error {
	var beyond, missing []string
	tuple := []string{"src", "dst", "sport", "dport", "proto"}
	for i := range src.csv.Len() {
		if name := src.csv.Field(i).Name; !slices.Contains(tuple, name) {
			beyond = append(beyond, name)
		}
	}
	for _, name := range tuple {
		if src.csv.Index(name) < 0 {
			missing = append(missing, name)
		}
	}
	inTrace := beyond == nil && missing == nil && src.family == 0
	if cmd.Format == "auto" {
		if cmd.Format = "csv"; inTrace && !cmd.Real {
			cmd.Format = "trace"
		}
	}
	switch {
	case cmd.Format == "trace" && src.family != 0:
		return files.BadUsage("--format trace: a trace has ports for every packet, and packets for iptables rules have none in some protocols: csv and pcap can hold them")
	case cmd.Format == "trace" && beyond != nil:
		return files.BadUsage("--format trace: a trace holds the 5-tuple, and the rules also have %s: csv can hold it", strings.Join(beyond, ", "))
	case cmd.Format == "trace" && missing != nil:
		return files.BadUsage("--format trace: a trace holds the 5-tuple, and the rules have no %s: csv can hold them", strings.Join(missing, ", "))
	case cmd.Format == "csv" && src.csv.Len() == 0:
		return files.BadUsage("--format csv: the rules have no fields")
	case cmd.Format == "pcap" && src.csv.Index("src") < 0 && src.csv.Index("dst") < 0:
		return files.BadUsage("--format pcap: the rules have neither src nor dst: csv can hold their packets")
	}
	return nil
}

// write writes the packets in the format that was asked for.
func (src *genSource) write(a *app, cmd *genPacketsCmd, w io.Writer) error {
	bar := a.newProgress("packets", cmd.N)
	defer bar.done()
	var failed error
	// each calls yield with the packets and their origins.
	each := func(yield func(rules.Key, int64) bool) {
		key := src.schema.NewKey()
		for i := range cmd.N {
			made := src.Misses().Made
			origin, err := src.Next(key)
			if err == nil && src.Misses().Made > made {
				err = src.verify(key)
			}
			if err != nil {
				failed = err
				return
			}
			if !yield(key, int64(origin)) {
				return
			}
			if i&0xfff == 0 {
				bar.at(i)
			}
		}
	}
	var err error
	switch cmd.Format {
	case "trace":
		err = classbench.WriteTrace(w, src.schema, each)
	case "pcap":
		err = capture.WritePcap(w, packet.LinkEthernet, src.frames(each))
	default:
		err = capture.WriteCSV(w, src.csv, src.rows(each))
	}
	return errors.Join(failed, err)
}

// verify holds the first misses to the linear walk.
func (src *genSource) verify(k rules.Key) error {
	const some = 200
	if src.checked++; src.checked <= some && src.check(k) {
		return fmt.Errorf("wrong answers: packet %d of the misses is decided by a rule", src.checked)
	}
	return nil
}

// frames makes frames of packets, a microsecond apart from 2000 on.
func (src *genSource) frames(each iter.Seq2[rules.Key, int64]) iter.Seq2[time.Time, []byte] {
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	return func(yield func(time.Time, []byte) bool) {
		var buf []byte
		for k := range each {
			buf = workload.AppendFrame(buf[:0], workload.PacketOf(src.schema, k, src.family))
			if !yield(at, buf) {
				return
			}
			at = at.Add(time.Microsecond)
		}
	}
}

// decode decodes the packet of a key, which must be a real one.
func (src *genSource) decode(k rules.Key, p *packet.Packet) {
	made := workload.PacketOf(src.schema, k, src.family)
	src.frame = workload.AppendFrame(src.frame[:0], made)
	p.Meta = made.Meta
	_ = p.DecodeEthernet(src.frame) // the key came from decoding it
}

// rows makes keys of the columns of packets.
func (src *genSource) rows(each iter.Seq2[rules.Key, int64]) iter.Seq[rules.Key] {
	return func(yield func(rules.Key) bool) {
		if src.csv == src.schema {
			for k := range each {
				if !yield(k) {
					return
				}
			}
			return
		}
		binder, row := packet.NewBinder(src.csv), src.csv.NewKey()
		var p packet.Packet
		for k := range each {
			src.decode(k, &p)
			binder.Key(&p, row)
			if !yield(row) {
				return
			}
		}
	}
}

// noMisses says why there are none.
func (src *genSource) noMisses(cmd *genPacketsCmd, name string) error {
	switch {
	case src.catch == src.rules && src.catch > 0 && !cmd.ButLast:
		return fmt.Errorf("%s: no packet is a miss: rule %d, the last, is for every packet; with --but-last, packets that only it decides are misses", name, src.catch)
	case src.catch > 0 && !cmd.ButLast:
		return fmt.Errorf("%s: no packet is a miss: rule %d is for every packet", name, src.catch)
	}
	err := fmt.Errorf("%s: none of %d packets tried is a miss: the rules leave hardly any packet undecided, or none", name, src.Misses().Tried)
	if src.unknown > 0 {
		err = fmt.Errorf("%w; of %d of them nobody can say it, of the first for lack of %s (--routes and --sets tell more)", err, src.unknown, src.needs)
	}
	return err
}

// report says what came of misses and of the worst packets, and what a format
// left out.
func (src *genSource) report(a *app, cmd *genPacketsCmd, name string) {
	if m := src.Misses(); 2*m.Repeated > m.Made || m.Tried > 100*m.Made && m.Made > 0 {
		a.warn("%s: misses are rare: %d packets were tried for %d, of which %d came before", name, m.Tried, m.Made, m.Repeated)
	}
	if w := src.Worst(); w.Packets > 0 {
		text := fmt.Sprintf("worst packets: %d different ones of %d tried, of cost %d to %d", w.Packets, w.Tried, w.Least, w.Most)
		if w.OrdinaryCount > 0 {
			text += fmt.Sprintf("; packets inside random rules cost %.1f in the mean", float64(w.Ordinary)/float64(w.OrdinaryCount))
		}
		if src.bound > 0 {
			text += fmt.Sprintf("; no packet costs more than %d", src.bound)
		}
		a.warn("%s", text)
	}
	if cmd.Format == "pcap" {
		var lost []string
		for _, name := range []string{"iif", "oif", "ctstate", "mark"} {
			if src.csv.Index(name) >= 0 {
				lost = append(lost, name)
			}
		}
		if lost != nil {
			a.warn("pcap files do not hold what the rules also ask for: %s", strings.Join(lost, ", "))
		}
	}
}

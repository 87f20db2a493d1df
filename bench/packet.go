package main

// The command packet: what a packet costs from its bytes to the verdict.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"text/tabwriter"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
)

type packetCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string `placeholder:"NAME" help:"iptables: the table; filter when not given." group:"Rules"`
	Chain           string `placeholder:"NAME" help:"iptables: the built-in chain that packets enter at; when not given FORWARD, or the table's first." group:"Rules"`
	Pcap            string `placeholder:"FILE" help:"Capture of packets, pcap or pcapng; - for standard input." group:"Packets"`
	files.MetaFlags `group:"Packets"`
	Check           int    `default:"5000" placeholder:"N" help:"Check the verdicts for N packets with the reference walk (default 5000)."`
	Seed            uint64 `default:"1" placeholder:"N" help:"Seed of the order of the packets, and of packets made from the rules (default 1)."`
	JSON            bool   `name:"json" help:"Print one JSON object."`
}

// Help is shown in front of the flags.
func (packetCmd) Help() string {
	return `Rules are native, ClassBench or iptables-save text, told from the content. The
packets of iptables rules enter at --chain of --table. Without --pcap, 100,000
packets are made from the rules.

Examples:

    bench packet --rules office.rules --pcap today.pcapng --capture-interface in
    iptables-save | bench packet --rules - --chain INPUT --json

It tells, in ns a packet,

    decode     decoding the packet's headers
    key        decoding, and filling a key of the rules' fields
    verdict    decoding, and deciding the packet: all that a program does with it

each the median of nine passes over the packets in random order, in CPU time of
the thread. The packets' headers lie one behind the other in memory. Packets that
cannot be decoded are left out. The verdicts of --check packets are compared
with those of the reference walk; the exit code is 1 when one is wrong.

With --json: rules, packets, checked, mismatches, build_cpu_seconds, decode_ns,
key_ns, verdict_ns. Where the system has no CPU clocks, clock says what times are.
After an interrupt, which makes the exit code 1, medians are of the passes that
there were, three at least; in JSON passes says how many.`
}

// packetResult is what the command prints.
type packetResult struct {
	Rules        int     `json:"rules"`
	Packets      int     `json:"packets"`
	Checked      int     `json:"checked"`
	Mismatches   int     `json:"mismatches"`
	BuildSeconds float64 `json:"build_cpu_seconds"`
	Decode       float64 `json:"decode_ns"`
	Key          float64 `json:"key_ns"`
	Verdict      float64 `json:"verdict_ns"`
	Clock        string  `json:"clock,omitempty"`
	Passes       int     `json:"passes,omitempty"` // where an interrupt came before the last one

	rulesName, packetsName string
}

// decider decides packets by rules of some kind.
type decider interface {
	schema() *rules.Schema
	rules() int
	// build compiles the rules.
	build() error
	// verdicts decodes and decides the frames from up to to.
	verdicts(f *frames, from, to int) uint64
	// decide returns what decides a packet.
	decide(p *packet.Packet) rules.Result
	// walk returns what decides the packet of a key, by walking the rules.
	walk(k rules.Key) rules.Result
	// outside returns what decides packets whose addresses no key can hold.
	outside() rules.Result
	// frames makes up to n packets from the rules.
	frames(n int, seed uint64) (*frames, error)
}

// Run measures.
func (cmd *packetCmd) Run(a *app) error {
	if cmd.Check < 0 {
		return files.BadUsage("--check %d is negative", cmd.Check)
	}
	if cmd.RuleFlags.Rules == "-" && cmd.Pcap == "-" {
		return files.BadUsage("rules and packets cannot both be standard input")
	}
	set, _, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	table, entry, err := set.Choose(cmd.Table, cmd.Chain)
	if err != nil {
		return err
	}
	var d decider
	switch {
	case table != nil:
		d = &tableDecider{table: table, entry: entry}
	case set.Native != nil:
		d = newListDecider(set.Native)
	default:
		d = newListDecider(set.ClassBench)
	}
	res, err := cmd.measure(a, set.Name, d)
	if err != nil {
		return err
	}
	if err := res.print(a.stdout, cmd.JSON); err != nil {
		return err
	}
	var all []error
	if res.Mismatches > 0 {
		all = append(all, fmt.Errorf("wrong answers: %d of %d packets get another verdict than by the reference walk", res.Mismatches, res.Checked))
	}
	if res.Passes > 0 {
		all = append(all, fmt.Errorf("%w: %d of %d passes were timed", errInterrupted, res.Passes, passes))
	}
	return errors.Join(all...)
}

func newListDecider[T comparable](l *rules.List[T]) *listDecider[T] { return &listDecider[T]{list: l} }

func (cmd *packetCmd) measure(a *app, name string, d decider) (*packetResult, error) {
	var f *frames
	var err error
	if cmd.Pcap == "" {
		f, err = d.frames(a.effort.packets, cmd.Seed)
	} else {
		_, cmd.Tables = d.(*tableDecider)
		f, err = a.readFrames(cmd.Pcap, &cmd.MetaFlags, d.schema())
	}
	if err != nil {
		return nil, err
	}
	f = f.shuffled(cmd.Seed)
	ctx, stop := interruptible() // input is read
	defer stop()
	n := len(f.list)
	res := &packetResult{Rules: d.rules(), Packets: n, Checked: min(cmd.Check, n), Clock: clockNote(), rulesName: name, packetsName: f.name}
	took, err := timeBuild(a.effort, d.build)
	if err != nil {
		return nil, files.Error(name, err)
	}
	res.BuildSeconds = round(took, 6)

	bar := a.newProgress("checking", res.Checked)
	res.Mismatches = wrongVerdicts(ctx, a, d, f, res.Checked, bar.at)
	bar.done()

	binder, key := packet.NewBinder(d.schema()), d.schema().NewKey()
	times := []*timed{
		{group: "packet", run: func(from, to int) { use(f.decodeAll(from, to)) }},
		{group: "packet", run: func(from, to int) { use(f.bindAll(binder, key, from, to)) }},
		{group: "packet", run: func(from, to int) { use(d.verdicts(f, from, to)) }},
	}
	bar = a.newProgress("timing", passes)
	measure(ctx, times, n, a.effort, bar.at)
	bar.done()
	switch n := len(times[2].ns); {
	case n < leastPasses:
		return nil, fmt.Errorf("%w before packets were timed", errInterrupted)
	case n < passes:
		res.Passes = n
	}
	res.Decode, res.Key, res.Verdict = round(times[0].median(), 2), round(times[1].median(), 2), round(times[2].median(), 2)
	return res, nil
}

// wrongVerdicts counts the packets, of the first n, that are decided otherwise
// than by the walk. When the context has ended the rest is not looked at.
func wrongVerdicts(ctx context.Context, a *app, d decider, f *frames, n int, progress func(int)) int {
	binder := packet.NewBinder(d.schema())
	var done, wrong atomic.Int64
	each(n, 16, func(from, to int) {
		var p packet.Packet
		key := d.schema().NewKey()
		for i := from; i < to && ctx.Err() == nil; i++ {
			p.Meta = f.meta(i)
			f.decode(&p, i)
			want := d.outside()
			if binder.Key(&p, key) {
				want = d.walk(key)
			}
			got := d.decide(&p)
			if a.tamper != nil {
				rule := []int32{int32(got.By.Rule)}
				a.tamper("packet", rule)
				got.By.Rule = int(rule[0])
			}
			if got != want {
				wrong.Add(1)
			}
		}
		progress(int(done.Add(int64(to - from))))
	})
	return int(wrong.Load())
}

// decodeAll decodes frames.
func (f *frames) decodeAll(from, to int) (sum uint64) {
	p := packet.Packet{Meta: f.metas[0]}
	for i := from; i < to; i++ {
		f.decode(&p, i)
		sum += uint64(p.DstPort)
	}
	return sum
}

// bindAll decodes frames and fills a key for each.
func (f *frames) bindAll(b *packet.Binder, k rules.Key, from, to int) (sum uint64) {
	p := packet.Packet{Meta: f.metas[0]}
	for i := from; i < to; i++ {
		f.decode(&p, i)
		if b.Key(&p, k) {
			sum += uint64(k[0])
		}
	}
	return sum
}

// listDecider decides by a list.
type listDecider[T comparable] struct {
	list *rules.List[T]
	c    *hipac.Classifier[T]
}

func (d *listDecider[T]) schema() *rules.Schema { return d.list.Schema() }
func (d *listDecider[T]) rules() int            { return d.list.Len() }

func (d *listDecider[T]) build() (err error) {
	d.c, err = hipac.Build(context.Background(), d.list, &hipac.Options{FirstMatchOnly: true})
	return err
}

func (d *listDecider[T]) verdicts(f *frames, from, to int) (sum uint64) {
	c := d.c
	var values kept[T]
	p := packet.Packet{Meta: f.metas[0]}
	for i := from; i < to; i++ {
		f.decode(&p, i)
		if m, ok := c.LookupPacket(&p); ok {
			sum += uint64(m.ID)
			values[i%len(values)] = m.Value
		}
	}
	values.look()
	return sum
}

// atRule is the result that a list's rule of the position decides, -1 for none.
func atRule(i int) rules.Result { return rules.Result{By: rules.Place{Rule: i}} }

func (d *listDecider[T]) outside() rules.Result { return atRule(-1) }

func (d *listDecider[T]) decide(p *packet.Packet) rules.Result {
	if m, ok := d.c.LookupPacket(p); ok {
		return atRule(m.Position)
	}
	return atRule(-1)
}

func (d *listDecider[T]) walk(k rules.Key) rules.Result {
	if i, ok := d.list.First(k); ok {
		return atRule(i)
	}
	return atRule(-1)
}

func (d *listDecider[T]) frames(n int, seed uint64) (*frames, error) {
	return makeFrames(d.list, 0, n, seed)
}

// tableDecider decides by the chains of a table.
type tableDecider struct {
	table *rules.Table
	entry int
	c     *hipac.Table
}

func (d *tableDecider) schema() *rules.Schema { return d.table.Schema }

func (d *tableDecider) rules() (n int) {
	for i := range d.table.Chains {
		n += d.table.Chains[i].Rules.Len()
	}
	return n
}

func (d *tableDecider) build() (err error) {
	d.c, err = hipac.BuildTable(context.Background(), d.table, nil)
	return err
}

func (d *tableDecider) verdicts(f *frames, from, to int) (sum uint64) {
	p := packet.Packet{Meta: f.metas[0]}
	for i := from; i < to; i++ {
		f.decode(&p, i)
		r := d.c.EvaluatePacket(&p, d.entry)
		sum += uint64(r.Verdict) + uint64(r.By.Rule)
	}
	return sum
}

func (d *tableDecider) outside() rules.Result {
	return rules.Result{By: rules.Place{Chain: d.entry, Rule: -1}}
}

func (d *tableDecider) decide(p *packet.Packet) rules.Result { return d.c.EvaluatePacket(p, d.entry) }

func (d *tableDecider) walk(k rules.Key) rules.Result { return d.table.Evaluate(k, d.entry, nil) }

// frames draws packets from the rules of all chains alike.
func (d *tableDecider) frames(n int, seed uint64) (*frames, error) {
	b := rules.NewBuilder[struct{}](d.table.Schema)
	for i := range d.table.Chains {
		for _, r := range d.table.Chains[i].Rules.All() {
			if _, err := b.Add(rules.Rule[struct{}]{Conds: r.Conds}); err != nil {
				return nil, err
			}
		}
	}
	return makeFrames(b.List(), d.table.Family, n, seed)
}

func (r *packetResult) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, r)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "rules    %d, %s\n", r.Rules, files.Printable(r.rulesName))
	fmt.Fprintf(&out, "packets  %d, %s\n", r.Packets, files.Printable(r.packetsName))
	fmt.Fprintf(&out, "checked  %d with the reference walk, %d wrong\n", r.Checked, r.Mismatches)
	fmt.Fprintf(&out, "build    %s CPU\n\n", seconds(r.BuildSeconds))
	tab := tabwriter.NewWriter(&out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tab, "decode\t+ key\t+ lookup\tbytes to verdict\t\n")
	fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t\n", nanoseconds(r.Decode), nanoseconds(r.Key-r.Decode), nanoseconds(r.Verdict-r.Key), nanoseconds(r.Verdict))
	tab.Flush()
	fmt.Fprintf(&out, "\n%s per packet, medians of %d passes in random order\n", strings.ToUpper(compare.Clock[:1])+compare.Clock[1:], cmp.Or(r.Passes, passes))
	_, err := w.Write(out.Bytes())
	return err
}

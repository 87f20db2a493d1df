package main

// The command trace: the way of a packet through the tables, rule by rule.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/xt"
)

type traceCmd struct {
	files.RuleFlags `group:"Rules"`
	wayFlags
	Seed              uint64   `default:"1" placeholder:"N" help:"Seed of the random numbers that rules draw (default 1)." group:"Rules"`
	Packet            []string `short:"p" sep:"none" placeholder:"TEXT" help:"A packet, described as above; may be given several times, and rules remember." group:"Packets"`
	files.PacketFlags `group:"Packets"`
	Number            int    `placeholder:"N" help:"Only the N-th packet of --packets, from 1; rules with a memory see those before it too." group:"Packets"`
	Near              int    `default:"3" placeholder:"N" help:"How many near misses to show: rules that were passed and lacked one thing (default 3)."`
	All               bool   `help:"Show every rule that the packet passes, also those that do not match."`
	Output            string `enum:"text,json,kernel" default:"text" placeholder:"FORM" help:"text for people (the default), json (an object a line), or kernel: the lines that the kernel logs of a packet under TRACE."`
	Color             string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
}

// Help is shown in front of the flags.
func (traceCmd) Help() string {
	var b strings.Builder
	b.WriteString(`Shows each table, chain, rule and policy that a packet meets, in order: what each
rule compared, what targets did, which rules nearly matched and why they did
not, and what becomes of the packet. For iptables and nftables rules.

Examples:

    hipac trace --rules save.txt --packet 'tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0 ctstate=NEW'
    iptables-save | hipac trace --rules - --packet 'udp 10.0.0.1 > 10.0.0.2:53 in=lan0 out=wan0'
    hipac trace --rules save.txt --packets today.pcap --number 17 --hook input
    hipac trace --rules save.txt --packet 'icmp 10.0.0.1 > 10.0.0.2' --table mangle --chain FORWARD

The packet's way follows from its interfaces: with in= it comes to this machine
(PREROUTING, INPUT), with in= and out= it is forwarded (PREROUTING, FORWARD,
POSTROUTING), with out= alone it comes from here (OUTPUT, POSTROUTING). Without
either, --hook says it; --table and --chain look at one table alone. Neither is
needed when one built-in chain alone has rules or a policy other than ACCEPT.

A packet is described by PROTOCOL SOURCE[:PORT] > DESTINATION[:PORT], addresses
of IPv6 with ports in brackets, and words:

`)
	meta := false
	for _, w := range describe.Words() {
		if w.Meta && !meta {
			meta = true
			b.WriteString("\nWhat its bytes do not say, which --meta says of packets of --packets (pkttype and\nmac too, where they were captured without a link header):\n\n")
		}
		name := w.Name
		if w.Form != "" {
			name += "=" + w.Form
		}
		const indent = 26
		fmt.Fprintf(&b, "    %-21s ", name)
		at := indent
		if len(name) > 21 {
			b.WriteString("\n" + strings.Repeat(" ", indent))
		}
		for i, word := range strings.Fields(w.Help) {
			switch {
			case i == 0:
			case at+1+len(word) > 80:
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			default:
				b.WriteByte(' ')
				at++
			}
			b.WriteString(word)
			at += len(word)
		}
		b.WriteByte('\n')
	}
	b.WriteString(`
A source port that is not given is 50000. A connection state makes a connection
between the packet's own addresses; without one the packet has none.`)
	return b.String()
}

// checkPackets refuses flags of trace and explain that do not go together. Packets are
// described one by one, or in a file, of which a number may choose one; the counts must
// not be negative.
func checkPackets(r *files.RuleFlags, p *files.PacketFlags, described []string, number int, counts ...int) error {
	switch {
	case r.Rules == "":
		return files.BadUsage("--rules FILE is missing")
	case len(described) == 0 && p.Packets == "":
		return files.BadUsage("no packet: --packet 'tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0', or --packets FILE")
	case len(described) > 0 && p.Packets != "":
		return files.BadUsage("--packet or --packets, not both")
	case r.Rules == "-" && p.Packets == "-":
		return files.BadUsage("rules and packets cannot both be standard input")
	case number != 0 && p.Packets == "":
		return files.BadUsage("--number is for --packets")
	case slices.Min(append(counts, number)) < 0:
		return files.BadUsage("a negative number")
	}
	return nil
}

// Run traces.
func (cmd *traceCmd) Run(a *app) error {
	if err := checkPackets(&cmd.RuleFlags, &cmd.PacketFlags, cmd.Packet, cmd.Number, cmd.Near); err != nil {
		return err
	}
	// What is asked for is looked at before the rules are.
	described := make([]*describe.Packet, len(cmd.Packet))
	for i, text := range cmd.Packet {
		var err error
		if described[i], err = describe.Parse(text); err != nil {
			return files.BadUsage("--packet: %v", err)
		}
	}
	file, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	if file.Tables == nil {
		return files.BadUsage("trace is for iptables and nftables rules, and %s holds %s rules", file.Name, file.Format)
	}
	if cmd.Output == "kernel" && file.Format != files.Iptables {
		return files.BadUsage("--output kernel writes the lines of the target TRACE, which is one of iptables, and %s holds %s rules", file.Name, file.Format)
	}
	cmd.Tables = true
	compiled, err := buildTables(a.ctx, file, file.Tables.Tables, nil)
	if err != nil {
		if a.ctx.Err() != nil {
			return errInterrupted
		}
		return files.Error(file.Name, err)
	}
	t := newTracing(a, cmd, file, compiled)
	if len(described) > 0 {
		for i, p := range described {
			if err := t.packet(i+1, &p.Packet, p.Time, p.String()); err != nil {
				return err
			}
		}
		return t.out.Flush()
	}
	return t.file(a)
}

// tracing is a run of the command.
type tracing struct {
	app       *app
	cmd       *traceCmd
	set       *files.Tables
	rulesName string
	format    string
	compiled  *hipac.Tables
	traversal *xt.Traversal
	clock     time.Time
	started   time.Time
	out       *bufio.Writer
	colors    colors
	columns   int
	traced    int
}

func newTracing(a *app, cmd *traceCmd, file *files.Rules, compiled *hipac.Tables) *tracing {
	t := &tracing{app: a, cmd: cmd, set: file.Tables, rulesName: file.LinesOf(), format: file.Format, compiled: compiled, out: bufio.NewWriter(a.stdout), started: a.now(),
		colors: a.useColors(cmd.Color), columns: columns(a.stdout)}
	schema := rules.MustSchema()
	if len(file.Tables.Tables) > 0 {
		schema = file.Tables.Tables[0].Schema
	}
	random := rand.New(rand.NewPCG(cmd.Seed, 0))
	t.traversal = xt.NewTraversal(schema)
	t.traversal.State = &xt.State{Now: func() time.Time { return t.clock }, Random: random.Uint32}
	return t
}

// file traces the packets of the file.
func (t *tracing) file(a *app) error {
	schema := rules.MustSchema()
	if len(t.set.Tables) > 0 {
		schema = t.set.Tables[0].Schema
	}
	in, err := a.openPackets(&t.cmd.PacketFlags, schema)
	if err != nil {
		return err
	}
	defer in.close()
	k := schema.NewKey()
	n := 0
	for a.ctx.Err() == nil {
		info, err := in.Next(k)
		var damaged *capture.PacketError
		switch {
		case err == io.EOF:
			if t.cmd.Number > n {
				return fmt.Errorf("%s: no packet %d: there are %d", in.Name(), t.cmd.Number, n)
			}
			return t.out.Flush()
		case errors.As(err, &damaged):
			n++
			if t.cmd.Number == 0 || t.cmd.Number == n {
				a.complain(err)
			}
			if t.cmd.Number == n {
				return errors.New("the packet cannot be decoded")
			}
			continue
		case err != nil:
			return errors.Join(t.out.Flush(), err)
		}
		n++
		p := in.Packet()
		if t.cmd.Number > n {
			// Rules with a memory see what came before.
			if path, err := t.path(p); err == nil {
				t.set1(p, info.Time)
				t.compiled.Run(t.traversal, path, nil)
			}
			continue
		}
		if err := t.packet(n, p, info.Time, describe.Format(p)); err != nil {
			return err
		}
		if t.cmd.Number == n {
			return t.out.Flush()
		}
	}
	return errInterrupted
}

// path returns the packet's way.
func (t *tracing) path(p *packet.Packet) (rules.Path, error) {
	way := t.cmd.wayFlags
	if way.Table == "" && way.Chain == "" && way.Hook == "" {
		in, out := p.Known&packet.KnownIn != 0 && p.InIface != (rules.Value{}), p.Known&packet.KnownOut != 0 && p.OutIface != (rules.Value{})
		switch {
		case in && out:
			way.Hook = "forward"
		case in:
			way.Hook = "input"
		case out:
			way.Hook = "output"
		default:
			stop, ok := t.only()
			switch {
			case ok:
				return rules.Path{stop}, nil
			case !t.entered():
				return nil, files.BadUsage("no packet enters the rules of %s: no table has a base chain", t.rulesName)
			}
			return nil, files.BadUsage("where does the packet go? in=NAME: to this machine, out=NAME: from it, both: through it; or --hook, or --table and --chain")
		}
	}
	return way.way(&files.Rules{Name: t.rulesName, Format: t.format, Tables: t.set})
}

// only returns the built-in chain that has rules when there is but one: then
// nothing else is to be seen of a packet's way.
func (t *tracing) only() (stop rules.Stop, ok bool) {
	for _, table := range t.set.Tables {
		for i := range table.Chains {
			if c := &table.Chains[i]; c.Policy == rules.NoVerdict || c.Rules.Len() == 0 && c.Policy == rules.Accept {
				continue
			}
			if ok {
				return rules.Stop{}, false
			}
			stop, ok = rules.Stop{Table: table, Chain: i}, true
		}
	}
	return stop, ok
}

// entered reports whether there is a chain that packets enter at.
func (t *tracing) entered() bool {
	return slices.ContainsFunc(t.set.Tables, func(table *rules.Table) bool {
		return slices.ContainsFunc(table.Chains, func(c rules.Chain) bool { return c.Policy != rules.NoVerdict })
	})
}

// set1 makes a packet the one under way.
func (t *tracing) set1(p *packet.Packet, at time.Time) {
	if t.clock = at; at.IsZero() {
		t.clock = t.started
	}
	t.traversal.Reset()
	t.traversal.Packet = *p
}

// packet traces one packet.
func (t *tracing) packet(number int, p *packet.Packet, at time.Time, text string) error {
	path, err := t.path(p)
	if err != nil {
		return err
	}
	t.set1(p, at)
	w := &packetWay{number: number, family: int(p.Family), text: text, path: path, set: t.set, rulesName: t.rulesName}
	near := t.cmd.Near
	if t.cmd.Output == "kernel" {
		near = 0
	}
	w.trace = t.compiled.Trace(t.traversal, path, hipac.TraceOptions{Near: near, All: t.cmd.All && t.cmd.Output != "kernel", Step: func(stop int, s *hipac.Step) {
		w.before = append(w.before, len(t.traversal.Effects))
		if t.cmd.Output == "kernel" {
			w.kernel(stop, s, &t.traversal.Packet)
		}
	}})
	if r := &w.trace.Result; r.Dropped {
		w.dropped = whyDropped(&t.traversal.Packet, path[r.Stop].Table.Chains[r.By.Chain].Rules.At(r.By.Rule))
	}
	w.effects = append(w.effects, t.traversal.Effects...)
	w.before = append(w.before, len(w.effects))
	t.traced++
	switch t.cmd.Output {
	case "json":
		err = w.json(t.out)
	case "kernel":
		for _, u := range w.unsure {
			t.app.complain(u)
		}
		if _, err = t.out.Write(w.lines); w.trace.Left > 0 {
			t.app.complain(fmt.Errorf("packet %d: %s left out", number, were(w.trace.Left, "more step")))
		}
	default:
		if t.traced > 1 {
			t.out.WriteByte('\n')
		}
		err = w.print(t.out, t.colors, t.columns)
	}
	return err
}

// packetWay is the trace of one packet, and what reports say of it.
type packetWay struct {
	number    int
	family    int
	text      string
	path      rules.Path
	set       *files.Tables
	rulesName string
	trace     *hipac.Trace
	effects   []xt.Effect
	before    []int // effects in front of each step, and in the end
	dropped   dropReason
	lines     []byte
	unsure    []error // about rules without a line
}

// rule returns the text of a rule of a stop, its number and its line.
func (w *packetWay) rule(stop int, at rules.Place) (text string, number, line int) {
	t := w.path[stop].Table
	c := &t.Chains[at.Chain]
	number = c.Rules.At(at.Rule).Value.Number
	text, line = w.set.Rule(t.Name, c.Name, number)
	return text, number, line
}

// kernelRules returns how many rules the kernel counts in a chain.
func kernelRules(c *rules.Chain) int {
	if n := c.Rules.Len(); n > 0 {
		return c.Rules.At(n - 1).Value.Number
	}
	return 0
}

// kernel adds the line that the kernel's TRACE target logs of a step.
func (w *packetWay) kernel(stop int, s *hipac.Step, p *packet.Packet) {
	t := w.path[stop].Table
	c := &t.Chains[s.At.Chain]
	kind, number := "rule", 0
	switch s.Kind {
	case hipac.Executed:
		var text string
		text, number, _ = w.rule(stop, s.At)
		for i := range s.Answers {
			if a := &s.Answers[i]; a.Outcome == rules.Unsure {
				w.unsure = append(w.unsure, fmt.Errorf("packet %d: no line of %s %s, which may match or not: needs %s", w.number, t.Name, place(c.Name, strconv.Itoa(number)), needed(a.Needs, "")))
				return
			}
		}
		// What the kernel takes for the end of a chain: a verdict without a
		// condition, which is how it keeps policies.
		switch text {
		case "-j ACCEPT", "-j DROP", "-j RETURN", "-j QUEUE":
			if kind = "return"; s.At.Chain == w.path[stop].Chain {
				kind = "policy"
			}
		}
	case hipac.Returned:
		kind, number = "return", kernelRules(c)+1
	case hipac.Policy:
		kind, number = "policy", kernelRules(c)+1
	default:
		return // the kernel logs nothing of a rule that does not match
	}
	w.lines = fmt.Appendf(w.lines, "TRACE: %s:%s:%s:%d ", t.Name, c.Name, kind, number)
	in, out := ifaces(p, t.Chains[w.path[stop].Chain].Name)
	w.lines = append(describe.AppendLog(w.lines, p, in, out), '\n')
}

// ifaces returns the interfaces that are known of a packet on a hook.
func ifaces(p *packet.Packet, hook string) (in, out string) {
	if p.Known&packet.KnownIn != 0 && hook != "OUTPUT" {
		in, _ = p.InIface.Name()
	}
	if p.Known&packet.KnownOut != 0 && hook != "PREROUTING" && hook != "INPUT" {
		out, _ = p.OutIface.Name()
	}
	return in, out
}

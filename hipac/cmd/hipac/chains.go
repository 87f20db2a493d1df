package main

// The chains of tables as a program: one table, or those that a packet passes
// on its way.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/xt"
)

// wayFlags say what of an iptables file packets are sent through.
type wayFlags struct {
	Table string  `placeholder:"NAME" help:"iptables, nftables: the table; filter, or the only one, when not given." group:"Rules"`
	Chain string  `placeholder:"NAME" help:"iptables, nftables: the built-in chain, or base chain, that packets enter at; when not given FORWARD, or the table's first." group:"Rules"`
	Hook  wayName `placeholder:"WAY" help:"iptables, nftables: all tables on the way of a packet, in the kernel's order: to this machine (input), through it (forward), from it (output)." group:"Rules"`
}

// wayName is "input", "forward" or "output"; "" when it is not given.
type wayName string

// UnmarshalText refuses other names.
func (w *wayName) UnmarshalText(text []byte) error {
	if *w = wayName(text); iptables.Hooks(string(*w)) == nil {
		return fmt.Errorf("must be one of input, forward and output, not %q", text)
	}
	return nil
}

// way returns the stops that the flags ask for; nil for a list.
func (f *wayFlags) way(file *files.Rules) (rules.Path, error) {
	if f.Hook == "" || file.Tables == nil {
		if f.Hook != "" {
			return nil, files.BadUsage("--hook is for iptables and nftables rules, and %s holds %s rules", file.Name, file.Format)
		}
		t, entry, err := file.Choose(f.Table, f.Chain)
		if err != nil || t == nil {
			return nil, err
		}
		return rules.Path{{Table: t, Chain: entry}}, nil
	}
	if f.Table != "" || f.Chain != "" {
		return nil, files.BadUsage("--hook goes through all tables: it does not go with --table and --chain")
	}
	path, err := file.Tables.Path(iptables.Hooks(string(f.Hook))...)
	if err == nil && len(path) == 0 {
		err = fmt.Errorf("%s: no table in the file is on the way %s", file.Name, f.Hook)
	}
	return path, err
}

// tables returns the tables of a path, each once.
func tables(path rules.Path) (list []*rules.Table) {
	for _, stop := range path {
		if !slices.Contains(list, stop.Table) {
			list = append(list, stop.Table)
		}
	}
	return list
}

// tableProgram is a path through the tables of a file, of one stop or more.
type tableProgram struct {
	set      *files.Tables
	path     rules.Path
	hook     string // the way, "" for one table
	marks    map[chainName]marks
	compiled *hipac.Tables // nil for the linear engine and live tables
	live     *liveProgram  // nil when they are none

	*memory
	remembers  bool // packets are decided one after the other
	traversals sync.Pool
}

// memory is what rules remember. clock is the time of the packet at hand when
// there is something to remember.
type memory struct {
	state    *xt.State
	clock    time.Time
	fallback time.Time // of packets without a time
}

func newMemory(seed uint64, now time.Time) *memory {
	m := &memory{fallback: now}
	random := rand.New(rand.NewPCG(seed, 0))
	m.state = &xt.State{Now: func() time.Time { return m.clock }, Random: random.Uint32}
	return m
}

// tableProgramOf returns the program that walks the tables.
func tableProgramOf(set *files.Tables, path rules.Path, m *memory) *tableProgram {
	p := &tableProgram{set: set, path: path, memory: m}
	p.traversals.New = func() any {
		t := xt.NewTraversal(p.schema())
		t.State = p.state
		return t
	}
	for _, stop := range path {
		for i, ok := range reached(stop.Table, stop.Chain) {
			for _, r := range stop.Table.Chains[i].Rules.All() {
				p.remembers = p.remembers || ok && !r.Value.Ext.Plain()
			}
		}
	}
	return p
}

func newTableProgram(ctx context.Context, file *files.Rules, path rules.Path, e engine, seed uint64, now time.Time) (*tableProgram, error) {
	p := tableProgramOf(file.Tables, path, newMemory(seed, now))
	if e == engineLinear {
		return p, nil
	}
	c, err := buildTables(ctx, file, tables(path), e.options())
	if err != nil {
		return nil, err
	}
	p.compiled = c
	return p, nil
}

func (p *tableProgram) schema() *rules.Schema { return p.path[0].Table.Schema }

func (p *tableProgram) inOrder() bool { return p.remembers }

func (p *tableProgram) decide(_ rules.Key, e *entry) outcome {
	t := p.traversals.Get().(*xt.Traversal)
	defer p.traversals.Put(t)
	t.Reset()
	t.Packet = e.packet
	if p.remembers {
		if p.clock = e.info.Time; p.clock.IsZero() {
			p.clock = p.fallback
		}
	}
	// An accepted packet has passed every table; the one that lets packets
	// through is filter.
	var filter rules.PathResult
	var watch *rules.Observer
	if len(p.path) > 1 {
		watch = &rules.Observer{Left: func(stop int, r rules.Result) {
			if r.Verdict == rules.Accept && p.path[stop].Table.Name == "filter" {
				filter = rules.PathResult{Result: r, Stop: stop}
			}
		}}
	}
	var r rules.PathResult
	switch {
	case p.live != nil:
		r = p.live.run(t, p.path, watch)
	case p.compiled != nil:
		r = p.compiled.Run(t, p.path, watch)
	default:
		r = p.path.Run(t, watch)
	}
	if r.Verdict == rules.Accept && filter.Verdict == rules.Accept {
		r = filter
	}
	e.needs, e.effects = r.Needs, append(e.effects[:0], t.Effects...)
	if r.Stop < 0 {
		return p.kept(e)
	}
	o := outcome{verdict: r.Verdict, stop: int8(r.Stop), chain: int32(r.By.Chain), rule: int32(r.By.Rule)}
	switch {
	case r.Dropped:
		o.dropped = whyDropped(&t.Packet, p.rule(o))
	case r.Verdict == rules.Unknown:
		o.kind = unsure
	case r.By.Rule < 0:
		o.kind = nothing
	}
	return o
}

// kept is the outcome for a packet that entered no table.
func (p *tableProgram) kept(e *entry) outcome {
	o := p.outside()
	if int(e.packet.Family) == p.path[0].Table.Family {
		o.kind = known
	}
	return o
}

func (p *tableProgram) outside() outcome {
	return outcome{kind: foreign, chain: int32(p.path[0].Chain), rule: -1}
}

func (p *tableProgram) at(o outcome) *rules.Chain { return &p.path[o.stop].Table.Chains[o.chain] }

func (p *tableProgram) rule(o outcome) *rules.Rule[rules.Action] {
	return p.at(o).Rules.At(int(o.rule))
}

func (p *tableProgram) appendID(dst []byte, o outcome) []byte {
	dst = append(dst, p.verdict(o)...)
	if o.kind == bad {
		return dst
	}
	chain, rule := p.ref(o)
	dst = append(dst, '\t')
	dst = append(dst, chain...)
	dst = append(dst, '/')
	return append(dst, rule...)
}

func (p *tableProgram) verdict(o outcome) string {
	if o.kind == bad {
		return "ERROR"
	}
	return o.verdict.String()
}

func (p *tableProgram) ref(o outcome) (chain, rule string) {
	if o.kind == bad {
		return "", ""
	}
	if chain = p.at(o).Name; p.hook != "" {
		chain = p.table(o) + ":" + chain
	}
	switch o.kind {
	case foreign:
		return chain, "family"
	case known:
		return chain, "known"
	case nothing:
		return chain, "policy"
	}
	return chain, strconv.Itoa(p.rule(o).Value.Number)
}

func (p *tableProgram) table(o outcome) string {
	if p.hook == "" || o.kind == bad {
		return ""
	}
	return p.path[o.stop].Table.Name
}

func (p *tableProgram) describe(o outcome) (text, comment string) {
	t := p.path[o.stop].Table
	switch o.kind {
	case bad:
		return "", ""
	case foreign:
		return fmt.Sprintf("not an IPv%d packet", t.Family), ""
	case known:
		return "not the first packet of its connection", ""
	case nothing:
		return "policy " + p.at(o).Policy.String(), ""
	}
	r := p.rule(o)
	text, _ = p.set.Rule(t.Name, p.at(o).Name, r.Value.Number)
	if o.dropped != notDropped {
		return text + " (dropped: " + o.dropped.String() + ")", r.Comment
	}
	return text, r.Comment
}

func (p *tableProgram) unknown(o outcome, e *entry) string {
	if o.kind != unsure {
		return ""
	}
	if e.needs != "" {
		return e.needs
	}
	return "target " + p.rule(o).Value.Text
}

func (p *tableProgram) what() string {
	n, chains := 0, 0
	var names []string
	for _, t := range tables(p.path) {
		for i := range t.Chains {
			n += t.Chains[i].Rules.Len()
		}
		chains += len(t.Chains)
		names = append(names, t.Name)
	}
	if p.hook != "" {
		return fmt.Sprintf("%s in %s of %s %s on the way %s", plural(n, "rule"), plural(chains, "chain"), map[bool]string{true: "table", false: "tables"}[len(names) == 1], strings.Join(names, ", "), p.hook)
	}
	return fmt.Sprintf("%s in %s of table %s, from chain %s", plural(n, "rule"), plural(chains, "chain"),
		names[0], p.path[0].Table.Chains[p.path[0].Chain].Name)
}

// one returns the compiled form of a program of one table.
func (p *tableProgram) one() *hipac.Table {
	if p.compiled == nil {
		return nil
	}
	return p.compiled.Table(p.path[0].Table)
}

func (p *tableProgram) stats() (hipac.Stats, bool) {
	if c := p.one(); c != nil {
		return c.Stats(), true
	}
	return hipac.Stats{}, false
}

func (p *tableProgram) costs() []hipac.RuleCost {
	if c := p.one(); c != nil {
		return c.RuleCosts()
	}
	return nil
}

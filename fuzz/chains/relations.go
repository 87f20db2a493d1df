package chains

// Metamorphic relations between tables: changes that must change no answer. They
// are to tables what those of fuzz/relations are to lists. Rules are known by their
// texts (rules.Action.Text), since changes move them.

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/relations"
	"github.com/hipac-go/classifier/rules"
)

// Relation is a metamorphic relation between tables.
type Relation struct {
	Name string
	// Check draws a table of about size rules and packets by a seed, changes the
	// table, and compares the answers before and after. The error is the first
	// difference, with the seed and the size; the same ones find it again. Hits of
	// the report are packets that a rule decides. It is safe for concurrent use, and
	// takes some milliseconds for 40 rules.
	Check func(seed uint64, size int) (relations.Report, error)
	// CheckWrapped is Check with all ways replaced by what wrap makes of them.
	CheckWrapped func(seed uint64, size int, wrap func(Way) Way) (relations.Report, error)
	// FromBytes is Check whose choices are the bytes, about a small table.
	FromBytes func(data []byte) (relations.Report, error)
}

// Relations returns all relations.
func Relations() []Relation {
	return []Relation{
		relation("chains are renamed", rename),
		relation("chains change places", permute),
		relation("a chain that is jumped to once takes the place of the jump", inline),
		relation("rules become a chain", outline),
		relation("callers get chains of their own", duplicate),
		relation("chains come that nothing leads to", unreached),
		relation("a rule is split in two", split),
		relation("rules that do not overlap change places", swap),
		relation("rules come behind one that ends the chain", hide),
		relation("a chain ends in a return", endWithReturn),
		relation("a chain ends in its policy", endWithPolicy),
		relation("a last goto becomes a jump", lastGoto),
		relation("a goto becomes a jump and a return", gotoAsJump),
		relation("a rule that counts leads to an empty chain", emptyChain),
		relation("conditions of a jump move to the rules of its chain", pushDown),
		relation("rules and chains come and go again", comeAndGo),
		relation("rules come in any order", anyOrder),
		relation("a set takes the place of its addresses", asSet),
		relation("lists of ports and states become several rules", asLists),
		relation("a file is written and read again", readAgain),
	}
}

// packets is how many are sent through a table from each root.
const packets = 64

// trial is one check of a relation.
type trial struct {
	*drawer
	size   int
	wrap   func(Way) Way
	report relations.Report
	// ignore are the texts of rules that only the changed table has; where one of
	// them decides, it is in the place of the policy.
	ignore map[string]bool
}

func relation(name string, check func(t *trial) error) Relation {
	with := func(r *rand.Rand, size int, wrap func(Way) Way) (relations.Report, error) {
		t := &trial{drawer: newDrawer(r), size: max(size, 1), wrap: wrap, ignore: map[string]bool{}}
		err := check(t)
		return t.report, err
	}
	wrapped := func(seed uint64, size int, wrap func(Way) Way) (relations.Report, error) {
		report, err := with(rand.New(rand.NewPCG(seed, 0xc4a1)), size, wrap)
		if err != nil {
			err = fmt.Errorf("%s: seed %d, size %d: %w", name, seed, size, err)
		}
		return report, err
	}
	same := func(w Way) Way { return w }
	return Relation{
		Name:         name,
		Check:        func(seed uint64, size int) (relations.Report, error) { return wrapped(seed, size, same) },
		CheckWrapped: wrapped,
		FromBytes: func(data []byte) (relations.Report, error) {
			report, err := with(fromBytes(data), 8, same)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			return report, err
		},
	}
}

// some returns some of the ways: the compiled table and two more.
func (t *trial) some() []Way {
	all := All()
	return []Way{t.wrap(all[1]), t.wrap(all[1+t.r.IntN(len(all)-1)]), t.wrap(all[1+t.r.IntN(len(all)-1)])}
}

// program is a table in the making.
type program struct {
	chains []rules.Chain
	rules  [][]rules.Rule[rules.Action]
}

func programOf(t *rules.Table) *program {
	p := &program{chains: slices.Clone(t.Chains)}
	for _, c := range t.Chains {
		rs := make([]rules.Rule[rules.Action], 0, c.Rules.Len())
		for _, r := range c.Rules.All() {
			rs = append(rs, *r)
		}
		p.rules = append(p.rules, rs)
	}
	return p
}

func (p *program) add(name string, rs ...rules.Rule[rules.Action]) int {
	p.chains = append(p.chains, rules.Chain{Name: name})
	p.rules = append(p.rules, rs)
	return len(p.chains) - 1
}

func (p *program) table(s *rules.Schema) (*rules.Table, error) {
	t := &rules.Table{Name: "filter", Schema: s}
	for i, c := range p.chains {
		b := rules.NewBuilder[rules.Action](s)
		for _, r := range p.rules[i] {
			r.ID, r.Continue = 0, r.Value.Kind == rules.Pass
			if _, err := b.Add(r); err != nil {
				return nil, err
			}
		}
		c.Rules = b.List()
		t.Chains = append(t.Chains, c)
	}
	return t, t.Check(rules.Limits{})
}

// callers returns the chain and position of all rules that lead to a chain.
func (p *program) callers(chain int) (out []rules.Place) {
	for c, rs := range p.rules {
		for i := range rs {
			if leads(&rs[i]) && rs[i].Value.Chain == chain {
				out = append(out, rules.Place{Chain: c, Rule: i})
			}
		}
	}
	return out
}

// places returns where there are rules that hold.
func (p *program) places(hold func(chain int, r *rules.Rule[rules.Action]) bool) (out []rules.Place) {
	for c, rs := range p.rules {
		for i := range rs {
			if hold(c, &rs[i]) {
				out = append(out, rules.Place{Chain: c, Rule: i})
			}
		}
	}
	return out
}

func (p *program) at(at rules.Place) *rules.Rule[rules.Action] { return &p.rules[at.Chain][at.Rule] }

func leads(r *rules.Rule[rules.Action]) bool {
	return r.Value.Kind == rules.Jump || r.Value.Kind == rules.Goto
}

// plainly reports whether a rule has conditions and an action, and nothing else.
func plainly(r *rules.Rule[rules.Action]) bool { return r.Value.Ext == nil && r.Unknown == "" }

// said is an answer with rules by their texts.
type said struct {
	Result   rules.Result
	By       string
	Executed []string
	Applied  []string
}

func (t *trial) say(table *rules.Table, a *Answer) said {
	out := said{Result: a.Result, By: "policy"}
	text := func(at rules.Place) string { return table.Chains[at.Chain].Rules.At(at.Rule).Value.Text }
	if a.Result.By.Rule >= 0 {
		out.By = text(a.Result.By)
	}
	out.Result.By = rules.Place{}
	for _, at := range a.Executed {
		if s := text(at); !t.ignore[s] {
			out.Executed = append(out.Executed, s)
		}
	}
	if a.After != nil {
		out.Applied = a.After.Applied
	}
	return out
}

// answers returns what a way answers about a table.
func (t *trial) answers(w Way, table *rules.Table, q *Inquiry) (*Answers, error) {
	a, err := w.Build(table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	return Ask(w.Name, table, a, q)
}

// tables is two tables that are to answer alike.
type tables struct {
	before, after *rules.Table
	// roots are the chains of after that stand for the first chains of before; nil:
	// the same ones.
	roots []int
}

// equal requires that each of some ways answers the same about two tables.
func (t *trial) equal(x tables) error {
	before, after := &Inquiry{More: t.more}, &Inquiry{More: t.more}
	for i, c := range x.before.Chains {
		if c.Policy == rules.NoVerdict {
			break
		}
		before.Entries = append(before.Entries, i)
	}
	if after.Entries = before.Entries; x.roots != nil {
		after.Entries = x.roots[:len(before.Entries)]
	}
	before.Keys = append(t.keys(x.before, packets/2), t.keys(x.after, packets/2)...)
	after.Keys = before.Keys
	for _, w := range t.some() {
		was, err := t.answers(w, x.before, before)
		if err != nil {
			return err
		}
		is, err := t.answers(w, x.after, after)
		if err != nil {
			return err
		}
		t.count(was)
		for i := range was.All {
			t.report.Comparisons++
			one, other := t.say(x.before, &was.All[i]), t.say(x.after, &is.All[i])
			if t.ignore[other.By] {
				other.By = "policy"
			}
			if !same(&one, &other) {
				n := len(before.Keys)
				return &compare.Difference{Engine: w.Name, Question: fmt.Sprintf("way from chain %d", before.Entries[i/n]), Key: before.Keys[i%n],
					Got: fmt.Sprintf("%+v", other), Want: fmt.Sprintf("%+v", one)}
			}
		}
	}
	return nil
}

func same(a, b *said) bool {
	return a.Result == b.Result && a.By == b.By && slices.Equal(a.Executed, b.Executed) && slices.Equal(a.Applied, b.Applied)
}

// count counts the answers of a table before it is changed.
func (t *trial) count(a *Answers) {
	hits := a.Decided()
	t.report.Cases++
	t.report.Packets += len(a.All)
	t.report.Hits += hits
	t.report.Misses += len(a.All) - hits
}

// change draws a table, and compares it with what change makes of it. change
// returns how many changes it made.
func (t *trial) change(change func(p *program) int) error {
	before, err := t.table(t.size)
	if err != nil {
		return err
	}
	p := programOf(before)
	t.report.Changes += change(p)
	after, err := p.table(t.schema)
	if err != nil {
		return err
	}
	return t.equal(tables{before: before, after: after})
}

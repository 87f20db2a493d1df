package nftables

// The listing: its tables, chains, sets and rules, and the tables of the model
// that they become.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// reader reads a listing.
type reader struct {
	file   string
	limits rules.Limits
	allow  bool
	data   []byte
	seen   int // bytes of data whose lines are counted
	line   int
	where  string // of the rule that is read: "inet:filter input/3"

	features map[string]int // index in found
	found    []rules.Feature
	counted  []string // where each was counted last
	tables   []*tableReader
	byName   map[string]*tableReader
	skipped  map[string]bool // tables that are left out
	bytes    int64           // of rules, for Limits.MaxMemory
}

// tableReader is a table as far as it is read.
type tableReader struct {
	scope
	r        *reader
	name     string // "inet:filter"
	chains   []chainReader
	byName   map[string]int
	sets     map[string]*namedSet
	limits   map[string]*namedLimit
	looked   map[string][]labelled // lookups in named sets
	verdicts map[string][]*value
	chain    int             // that rules are read for
	tracked  []tracking      // of the chains
	rules    int             // in all chains
	edges    map[[2]int]bool // from chain to chain, by verdicts in rules
	next     [][]int         // the same, by chain
	anywhere []int           // chains that named maps lead to
	writes   []map[int]bool  // of each chain: fields that its rules change
}

// chainReader is a chain as far as it is read.
type chainReader struct {
	name   string
	at     int
	base   base
	policy rules.Verdict
	nat    bool
	rules  []rawRule
	texts  []ruleText
	list   []*value // the rules of the listing
}

type namedLimit struct {
	v    *value
	test rules.Test
}

// unsupported notes something that is not modelled, once for each rule.
func (r *reader) unsupported(name string, at int) {
	i, ok := r.features[name]
	if !ok {
		i = len(r.found)
		r.features[name] = i
		e := r.errorAt(at, "", name+" is not modelled")
		e.Err = rules.ErrUnsupported
		r.found, r.counted = append(r.found, rules.Feature{Name: name, First: e}), append(r.counted, "")
	}
	if here := r.where; here == "" || r.counted[i] != here {
		r.found[i].Uses++
		r.counted[i] = here
	}
}

// objects that do nothing by themselves.
var passive = []string{"metainfo", "counter", "quota", "ct helper", "ct timeout", "ct expectation", "secmark", "synproxy", "flowtable"}

// ruleset reads the document.
func (r *reader) ruleset(doc *value) (*Ruleset, error) {
	key, list := doc.only()
	if key != "nftables" || list.kind != isList {
		return nil, r.expect(doc, `an object with one member "nftables", a list, as "nft -j list ruleset" prints it`)
	}
	r.byName, r.skipped = map[string]*tableReader{}, map[string]bool{}
	// What rules refer to may stand behind them.
	var ruleList []*value
	for i := range list.list {
		v := &list.list[i]
		kind, x := v.only()
		if x == nil {
			return nil, r.expect(v, "an object of the ruleset: table, chain, set, rule or another")
		}
		var err error
		switch kind {
		case "metainfo":
			if version := x.get("json_schema_version"); version != nil {
				if n, ok := version.number(); !ok || n != 1 {
					err = r.errorAt(version.at, version.short(), "a version of the format that is not known; 1 is")
				}
			}
		case "table":
			err = r.table(x)
		case "chain", "set", "map", "limit":
			err = r.part(kind, x)
		case "rule":
			ruleList = append(ruleList, x)
		case "add", "create", "insert", "delete", "destroy", "replace", "flush", "rename", "list", "reset":
			err = r.errorAt(v.at, kind, `a command, of which a listing has none: read what "nft -j list ruleset" prints`)
		default:
			if !slices.Contains(passive, kind) {
				r.unsupported("object "+kind, v.at)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	r.addresses()
	for _, x := range ruleList {
		if err := r.place(x); err != nil {
			return nil, err
		}
	}
	for _, t := range r.tables {
		if err := t.read(); err != nil {
			return nil, err
		}
	}
	if len(r.found) > 0 && !r.allow {
		return nil, &rules.UnsupportedError{Features: r.found}
	}
	return r.finish()
}

// families of tables that are modelled.
var families = map[string]int{"ip": 4, "ip6": 6, "inet": 0}

// tableName reads the members that name an object's table, and the table's name.
func (r *reader) tableName(x *value, key string) (name string, family int, known bool, err error) {
	if x.kind != isObject {
		return "", 0, false, r.expect(x, "an object")
	}
	f, err := r.text(x, "family")
	if err != nil {
		return "", 0, false, err
	}
	t, err := r.text(x, key)
	if err != nil {
		return "", 0, false, err
	}
	family, known = families[f]
	if !known && !slices.Contains([]string{"arp", "bridge", "netdev"}, f) {
		return "", 0, false, r.errorAt(x.get("family").at, f, "expected a family: ip, ip6, inet, arp, bridge or netdev")
	}
	return f + ":" + t, family, known, nil
}

// table begins a table.
func (r *reader) table(x *value) error {
	name, family, known, err := r.tableName(x, "name")
	if err != nil {
		return err
	}
	if r.byName[name] != nil || r.skipped[name] {
		return r.errorAt(x.at, name, "the table stands twice")
	}
	if !known {
		f, _, _ := strings.Cut(name, ":")
		r.unsupported("table of family "+f, x.at)
		r.skipped[name] = true
		return nil
	}
	if flags := x.get("flags"); flags != nil && strings.Contains(textOf(flags), "dormant") {
		r.unsupported("dormant table", flags.at)
	}
	t := &tableReader{scope: scope{family: family}, r: r, name: name, byName: map[string]int{}, sets: map[string]*namedSet{}, limits: map[string]*namedLimit{},
		looked: map[string][]labelled{}, verdicts: map[string][]*value{}, edges: map[[2]int]bool{}}
	r.tables, r.byName[name] = append(r.tables, t), t
	return nil
}

// owner returns the table of an object; nil for one that is left out.
func (r *reader) owner(x *value) (*tableReader, error) {
	name, _, known, err := r.tableName(x, "table")
	if err != nil || !known {
		return nil, err
	}
	if t := r.byName[name]; t != nil {
		return t, nil
	}
	return nil, r.errorAt(x.at, name, "the table does not stand before")
}

// part adds a chain, a set, a map or a limit to its table.
func (r *reader) part(kind string, x *value) error {
	t, err := r.owner(x)
	if t == nil {
		return err
	}
	name, err := r.text(x, "name")
	if err != nil {
		return err
	}
	switch kind {
	case "chain":
		return t.addChain(x, name)
	case "limit":
		if t.limits[name] != nil {
			return r.errorAt(x.at, name, "the limit stands twice")
		}
		t.limits[name] = &namedLimit{v: x}
		return nil
	}
	if t.sets[name] != nil {
		return r.errorAt(x.at, name, "the set stands twice")
	}
	set := &namedSet{v: x, isMap: kind == "map"}
	if m := x.get("map"); m != nil && m.kind == isString && m.text == "verdict" {
		set.verb = true
	}
	t.sets[name] = set
	return nil
}

func (t *tableReader) addChain(x *value, name string) error {
	r := t.r
	if _, twice := t.byName[name]; twice {
		return r.errorAt(x.at, name, "the chain stands twice")
	}
	if len(t.chains) >= r.limits.MaxChains {
		err := r.errorAt(x.at, name, fmt.Sprintf("table %s has more than %d chains", t.name, r.limits.MaxChains))
		err.Err = rules.ErrLimit
		return err
	}
	c := chainReader{name: name, at: x.at}
	if x.get("hook") != nil {
		hook, err := r.text(x, "hook")
		if err != nil {
			return err
		}
		if !slices.Contains(hooks, hook) {
			if hook != "ingress" && hook != "egress" {
				return r.errorAt(x.get("hook").at, hook, "expected a hook: "+strings.Join(hooks, ", ")+", ingress or egress")
			}
			r.unsupported("hook "+hook, x.get("hook").at)
		}
		c.base.hook = hook
		if p := x.get("prio"); p != nil {
			if _, err := fmt.Sscanf(p.text, "%d", &c.base.priority); p.kind != isNumber || err != nil {
				return r.expect(p, "a priority, a whole number")
			}
		}
		c.policy = rules.Accept
		if p := x.get("policy"); p != nil {
			switch p.text {
			case "accept":
			case "drop":
				c.policy = rules.Drop
			default:
				return r.expect(p, "accept or drop")
			}
		}
		if kind := x.get("type"); kind != nil {
			switch kind.text {
			case "filter", "route":
			case "nat":
				r.unsupported("chain of type nat", kind.at)
				c.nat = true
			default:
				return r.expect(kind, "filter, route or nat")
			}
		}
	}
	t.byName[name] = len(t.chains)
	t.chains, t.writes = append(t.chains, c), append(t.writes, nil)
	return nil
}

// addresses settles which addresses the schema has: those of one family when all
// tables are of it.
func (r *reader) addresses() {
	kind := 0
	for i, t := range r.tables {
		if i == 0 {
			kind = t.family
		} else if t.family != kind {
			kind = 0
		}
	}
	for _, t := range r.tables {
		t.kind = kind
	}
}

// place puts a rule into its chain.
func (r *reader) place(x *value) error {
	t, err := r.owner(x)
	if t == nil {
		return err
	}
	chain, err := r.text(x, "chain")
	if err != nil {
		return err
	}
	at, ok := t.byName[chain]
	if !ok {
		return r.errorAt(x.get("chain").at, chain, "the table has no such chain")
	}
	if err := r.members(x, "a rule", "family", "table", "chain", "handle", "index", "comment", "expr"); err != nil {
		return err
	}
	expr := x.get("expr")
	if expr == nil || expr.kind != isList {
		return r.expect(x, `a rule with a member "expr", a list`)
	}
	t.chains[at].list = append(t.chains[at].list, x)
	t.look(at, expr)
	return nil
}

// look notes where a rule may go, and which sets it changes.
func (t *tableReader) look(chain int, v *value) {
	if key, x := v.only(); x != nil && x.kind == isObject {
		switch key {
		case "jump", "goto":
			if to, ok := t.byName[x.get("target").or()]; ok {
				t.edges[[2]int{chain, to}] = true
			}
		case "set", "map":
			if name := x.get(key).or(); len(name) > 1 && name[0] == '@' && x.get("op") != nil {
				if s := t.sets[name[1:]]; s != nil {
					s.change = x.get("op").text
				}
			}
		case "mangle":
			if k := x.get("key"); k != nil {
				t.change(chain, textOf(k))
			}
		case "meter":
			if s := t.sets[x.get("name").or()]; s != nil {
				s.change = "meter"
			}
		}
	}
	if key, _ := v.only(); key == "notrack" {
		t.change(chain, key)
	}
	for i := range v.list {
		t.look(chain, &v.list[i])
	}
}

// change notes that a rule of a chain changes something.
func (t *tableReader) change(chain int, what string) {
	if f, ok := map[string]string{"meta mark": "mark", "ct mark": "ctmark", "notrack": "ctstate"}[what]; ok {
		if t.writes[chain] == nil {
			t.writes[chain] = map[int]bool{}
		}
		t.writes[chain][fieldAt[f]] = true
	}
}

// or returns the text of a value; "" for none.
func (v *value) or() string {
	if v == nil {
		return ""
	}
	return v.text
}

// read makes the rules of the table.
func (t *tableReader) read() error {
	t.track()
	for i := range t.chains {
		t.chain = i
		c := &t.chains[i]
		for n, x := range c.list {
			t.r.where = fmt.Sprintf("%s %s/%d", t.name, c.name, n+1)
			if err := t.rule(c, x); err != nil {
				return err
			}
		}
		c.list = nil
	}
	t.r.where = ""
	return nil
}

// finish makes the tables.
func (r *reader) finish() (*Ruleset, error) {
	used := make([]int, len(universe))
	for _, t := range r.tables {
		for i := range t.chains {
			for _, raw := range t.chains[i].rules {
				for k := range raw.conds {
					used[raw.conds[k].Field()]++
				}
			}
		}
	}
	kind := 0
	if len(r.tables) > 0 {
		kind = r.tables[0].kind
	}
	schema, places := choose(used, kind)
	rs := &Ruleset{Family: kind, Unknown: r.found}
	for _, t := range r.tables {
		table, err := t.finish(schema, places)
		if err != nil {
			return nil, err
		}
		var bases []base
		var texts [][]ruleText
		for i := range t.chains {
			bases, texts = append(bases, t.chains[i].base), append(texts, t.chains[i].texts)
		}
		rs.Tables, rs.bases, rs.lines = append(rs.Tables, table), append(rs.bases, bases), append(rs.lines, texts)
	}
	return rs, nil
}

// finish makes the table.
func (t *tableReader) finish(schema *rules.Schema, places []int) (*rules.Table, error) {
	r := t.r
	out := &rules.Table{Name: t.name, Family: t.family, Schema: schema, Chains: make([]rules.Chain, len(t.chains))}
	limits := r.limits
	limits.MaxMemory = 1 << 62 // counted while reading
	empty := rules.NewBuilder[rules.Action](schema).List()
	fail := func(at int, err error) error {
		e := r.errorAt(at, "", err.Error())
		if errors.Is(err, rules.ErrLimit) {
			e.Err = rules.ErrLimit
		}
		return e
	}
	for i := range t.chains {
		c := &t.chains[i]
		out.Chains[i] = rules.Chain{Name: c.name, Policy: c.policy, Rules: empty}
		if len(c.rules) == 0 {
			continue
		}
		list := rules.NewBuilder[rules.Action](schema)
		list.SetLimits(limits)
		list.Own()
		list.Grow(len(c.rules))
		for j := range c.rules {
			raw := &c.rules[j]
			t.settle(raw, places)
			if _, err := list.Add(rules.Rule[rules.Action]{Conds: raw.conds, Value: raw.action, Comment: raw.comment,
				Continue: raw.action.Kind == rules.Pass, Unknown: raw.unknown}); err != nil {
				return nil, fail(c.at, err)
			}
		}
		out.Chains[i].Rules = list.List()
		c.rules = nil
	}
	if err := out.Check(r.limits); err != nil {
		at := 0
		if len(t.chains) > 0 {
			at = t.chains[0].at
		}
		return nil, fail(at, err)
	}
	return out, nil
}

package kernel

// A user's own chains, made ready for the comparison. Each built-in chain becomes
// one that PREROUTING of table raw goes to, with the chains that it goes to, where
// packets come to the first rule as they are. What rules do beside deciding is taken
// from them, and what depends on more than the packet is left out, and counted.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
)

// mostOwn is how many rules a chain may have, with those that it goes to: the
// counters of all are read behind every packet.
const mostOwn = 30000

// plainMatches are the matches that ask for nothing but the packet, and that random
// programs are mixed of.
var plainMatches = []string{
	"ah", "bpf", "comment", "dccp", "dscp", "dst", "ecn", "esp", "eui64", "frag", "hbh", "hl", "icmp", "icmp6", "ipcomp", "iprange", "ipv6header",
	"length", "mac", "mark", "mh", "multiport", "pkttype", "rt", "sctp", "srh", "string", "tcp", "tcpmss", "tos", "ttl", "u32", "udp",
}

// Own is a built-in chain of a user, with those that it goes to.
type Own struct {
	Name  string // "table filter, chain INPUT"
	Rules int    // that are compared
	// Left counts the rules that are left out, by why.
	Left map[string]int

	program    string       // a file with one table
	table      *rules.Table // what is read of it
	family     int
	interfaces []string // by which packets come in, as rules have them
}

// ownDocument is what iptables.WriteJSON writes, as far as it is looked at.
type ownDocument struct {
	Format  string     `json:"format"`
	Version int        `json:"version"`
	Family  int        `json:"family"`
	Tables  []ownTable `json:"tables"`
}

type ownTable struct {
	Name   string     `json:"name"`
	Chains []ownChain `json:"chains"`
}

type ownChain struct {
	Name   string    `json:"name"`
	Policy string    `json:"policy,omitempty"`
	Rules  []ownRule `json:"rules"`
}

type ownRule struct {
	Options []ownOption `json:"options,omitempty"`
	Matches []ownModule `json:"matches,omitempty"`
	Target  *ownModule  `json:"target,omitempty"`
	Jump    string      `json:"jump,omitempty"`
	Goto    string      `json:"goto,omitempty"`
}

type ownModule struct {
	Name    string      `json:"name"`
	Options []ownOption `json:"options,omitempty"`
}

type ownOption struct {
	Name   string            `json:"name"`
	Not    bool              `json:"not,omitempty"`
	Values []json.RawMessage `json:"values,omitempty"` // strings, or objects where they are not UTF-8
}

// OwnChains returns the built-in chains that have rules, and of those that cannot be
// compared why. It takes time linear in the rules of each.
func OwnChains(rs *iptables.Ruleset) (list []*Own, skipped []string, err error) {
	var text bytes.Buffer
	if err := iptables.WriteJSON(&text, rs, false); err != nil {
		return nil, nil, err
	}
	var d ownDocument
	if err := json.Unmarshal(text.Bytes(), &d); err != nil {
		return nil, nil, err
	}
	for i, t := range rs.Tables {
		for c := range t.Chains {
			if t.Chains[c].Policy == rules.NoVerdict || t.Chains[c].Rules.Len() == 0 {
				continue
			}
			o := &Own{Name: fmt.Sprintf("table %s, chain %s", t.Name, t.Chains[c].Name), Left: map[string]int{}, family: rs.Family}
			switch err := o.take(d, t, i, c); {
			case err != nil:
				return nil, nil, fmt.Errorf("%s: %w", o.Name, err)
			case o.Rules > mostOwn:
				skipped = append(skipped, fmt.Sprintf("%s: %d rules, and up to %d are compared", o.Name, o.Rules, mostOwn))
			case o.Rules == 0:
				skipped = append(skipped, fmt.Sprintf("%s: %s", o.Name, o.Leaves()))
			default:
				list = append(list, o)
			}
		}
	}
	return list, skipped, nil
}

// Leaves says what is left out; "" where nothing is.
func (o *Own) Leaves() string {
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(o.Left)) {
		parts = append(parts, fmt.Sprintf("%d with %s", o.Left[why], why))
	}
	if parts == nil {
		return ""
	}
	return "without the rules that ask or do more than can be compared: " + strings.Join(parts, ", ")
}

// take makes the program of chain entry of the i-th table.
func (o *Own) take(d ownDocument, t *rules.Table, i, entry int) error {
	// "your-" is in front of the names that table raw, or a target, may have.
	named := func(c int) string {
		if t.Chains[c].Policy != rules.NoVerdict || slices.Contains([]string{entryChain, "OUTPUT"}, t.Chains[c].Name) {
			return "your-" + t.Chains[c].Name
		}
		return t.Chains[c].Name
	}
	first := ownChain{Name: entryChain, Policy: "ACCEPT", Rules: []ownRule{{}, {Goto: named(entry)}}}
	if t.Chains[entry].Policy == rules.Drop {
		first.Policy = "DROP"
	}
	out := ownTable{Name: "raw", Chains: []ownChain{first}}
	found := map[int]bool{entry: true}
	from := make(map[string]bool)
	for queue := []int{entry}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		chain := ownChain{Name: named(at), Rules: []ownRule{}}
		actions, unknown := map[int]rules.Action{}, map[int]bool{}
		for _, r := range t.Chains[at].Rules.All() {
			n := r.Value.Number
			actions[n], unknown[n] = r.Value, unknown[n] || r.Unknown != ""
		}
		for n, r := range d.Tables[i].Chains[at].Rules {
			a, known := actions[n+1]
			if unknown[n+1] {
				o.Left["what is not modelled"]++
				continue
			}
			if why := r.plain(a, known); why != "" {
				o.Left[why]++
				continue
			}
			for _, to := range []*string{&r.Jump, &r.Goto} {
				if *to == "" {
					continue
				}
				c := t.Find(*to)
				if *to = named(c); !found[c] {
					found[c] = true
					queue = append(queue, c)
				}
			}
			for _, opt := range r.Options {
				var name string
				if opt.Name == "in-interface" && len(opt.Values) == 1 && json.Unmarshal(opt.Values[0], &name) == nil {
					from[name] = true
				}
			}
			chain.Rules = append(chain.Rules, r)
		}
		o.Rules += len(chain.Rules)
		out.Chains = append(out.Chains, chain)
	}
	if o.Rules > mostOwn {
		return nil
	}
	o.interfaces = slices.Sorted(maps.Keys(from))
	d.Tables = []ownTable{out}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	rs, err := iptables.ReadJSON(bytes.NewReader(text), iptables.Options{})
	if err != nil {
		return err
	}
	var program bytes.Buffer
	if err := iptables.Write(&program, rs, false); err != nil {
		return err
	}
	o.program, o.table = program.String(), rs.Tables[0]
	return nil
}

// plain takes from a rule, whose action is given, what it does beside deciding, and
// returns why it must be left out; "": it need not.
func (r *ownRule) plain(a rules.Action, known bool) (why string) {
	for _, m := range r.Matches {
		if !slices.Contains(plainMatches, m.Name) {
			return "match " + m.Name
		}
	}
	switch {
	case r.Target == nil || r.Target.Name == "ACCEPT" || r.Target.Name == "DROP" || r.Target.Name == "RETURN" || r.Target.Name == "MARK":
	case !known: // its rule holds for nothing, and does nothing
		r.Target = nil
	case a.Kind == rules.Pass:
		r.Target = nil
	case a.Kind == rules.Decide && a.Verdict == rules.Accept:
		r.Target = &ownModule{Name: "ACCEPT"}
	case a.Kind == rules.Decide && (a.Verdict == rules.Drop || a.Verdict == rules.Reject):
		r.Target = &ownModule{Name: "DROP"}
	default:
		return "target " + r.Target.Name
	}
	return ""
}

package main

// The command query: what a rule file says of the packets that meet some
// conditions.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

type queryCmd struct {
	Conditions      []string `arg:"" optional:"" help:"Conditions that the packets meet, as in native rules: src=10.0.0.0/8 dport=22,80 proto!=udp."`
	files.RuleFlags `group:"Rules"`
	Table           string `placeholder:"NAME" help:"iptables, nftables: the table; filter, or the only one, when not given." group:"Rules"`
	Chain           string `placeholder:"NAME" help:"iptables, nftables: the built-in chain, or base chain, that packets enter at; when not given FORWARD, or the table's first." group:"Rules"`
	Verdict         string `placeholder:"WORD" help:"The verdict that is asked about, such as ACCEPT; any when not given. Of lists without verdicts MATCH or NO MATCH."`
	Source          string `short:"s" placeholder:"ADDR" help:"As src=ADDR; ! in front for all others, here and below." group:"Conditions"`
	Destination     string `short:"d" placeholder:"ADDR" help:"As dst=ADDR." group:"Conditions"`
	Protocol        string `short:"p" placeholder:"NAME" help:"As proto=NAME." group:"Conditions"`
	Sport           string `placeholder:"PORTS" help:"As sport=PORTS; 1024:65535 or 1024-65535." group:"Conditions"`
	Dport           string `placeholder:"PORTS" help:"As dport=PORTS." group:"Conditions"`
	InInterface     string `short:"i" placeholder:"NAME" help:"As iif=NAME." group:"Conditions"`
	OutInterface    string `short:"o" placeholder:"NAME" help:"As oif=NAME." group:"Conditions"`
	limitFlags
	Output string `enum:"text,json" default:"text" placeholder:"FORM" help:"text (the default) or json."`
	Color  string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
}

// Help is shown in front of the flags.
func (queryCmd) Help() string {
	return `Answers a question about all packets that meet some conditions: is any of them
accepted? All of them? By which rules?

    yes, some: 2^32 packets (0.39 %)

        ACCEPT  2^32 packets
            src=10.1.0.0/16 dport=22 proto=tcp
            by      FORWARD/3  line 7: -s 10.1.0.0/16 -p tcp -m tcp --dport 22 -j ACCEPT
            packet  tcp 10.1.0.0:50000 > 192.0.2.1:22

Regions, packets and tests are as in hipac diff. "yes, all" means that the verdict
is said of every packet that meets the conditions, "no" that it is said of none.

Exit codes: 0 yes, of some or of all; 1 no; 2 an error, or it cannot be said: it
depends on a match with a memory or one that is not modelled, or a limit was
reached.

Examples:

    hipac query --rules save.txt --chain INPUT --verdict ACCEPT src=10.0.0.0/8 dport=22
    hipac query --rules save.txt --verdict ACCEPT -s 10.0.0.0/8 -p tcp --dport 22
    hipac query --rules office.rules --verdict DROP proto=icmp --output json
    hipac query --rules save.txt dst=192.0.2.7`
}

// queryJSON is what JSON has of an answer.
type queryJSON struct {
	File    string   `json:"rules_file"`
	Conds   []string `json:"conditions"`
	Verdict string   `json:"verdict,omitempty"` // asked about
	Answer  string   `json:"answer"`            // no, some, all, unsure
	chainMeaning
}

// Run answers.
func (cmd *queryCmd) Run(a *app) error {
	extent, err := cmd.answer(a)
	if err != nil && a.ctx.Err() != nil {
		err = errInterrupted
	}
	if err == nil && extent == policy.Unsure {
		err = fmt.Errorf("it cannot be said: the packets alone do not tell, or a limit was reached")
	}
	return exitCode(extent == policy.No, err)
}

// conditions returns all conditions as text.
func (cmd *queryCmd) conditions() []string {
	var out []string
	for _, text := range cmd.Conditions {
		out = append(out, strings.Fields(text)...)
	}
	for _, f := range []struct{ field, value string }{{"src", cmd.Source}, {"dst", cmd.Destination}, {"proto", cmd.Protocol},
		{"sport", strings.ReplaceAll(cmd.Sport, ":", "-")}, {"dport", strings.ReplaceAll(cmd.Dport, ":", "-")}, {"iif", cmd.InInterface}, {"oif", cmd.OutInterface}} {
		if value, not := strings.CutPrefix(f.value, "!"); not {
			out = append(out, f.field+"!="+strings.TrimSpace(value))
		} else if value != "" {
			out = append(out, f.field+"="+value)
		}
	}
	return out
}

func (cmd *queryCmd) answer(a *app) (policy.Extent, error) {
	if cmd.Rules == "" {
		return 0, files.BadUsage("--rules FILE is missing")
	}
	if err := cmd.check(); err != nil {
		return 0, err
	}
	s, err := a.readSide(&cmd.RuleFlags)
	if err != nil {
		return 0, err
	}
	table, entry, err := s.file.Choose(cmd.Table, cmd.Chain)
	if err != nil {
		return 0, err
	}
	var f *policy.Function
	if table != nil {
		f, err = policy.OfChain(table, entry)
	} else {
		f = s.decisions()
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.file.Name, err)
	}
	if all := f.Verdicts(); cmd.Verdict != "" && !slices.Contains(all, cmd.Verdict) {
		// No typing error goes for a no.
		known := []string{"ACCEPT", "DROP", "REJECT"}
		if table != nil {
			known = append(known, "QUEUE", "STOLEN", "NONE", "UNKNOWN")
		}
		if !slices.Contains(known, cmd.Verdict) {
			return 0, files.BadUsage("--verdict %s: no rule says so; there are %s", cmd.Verdict, strings.Join(all, ", "))
		}
	}
	q := &queryJSON{File: s.file.Name, Conds: cmd.conditions(), Verdict: cmd.Verdict}
	var conds []rules.Cond
	for _, text := range q.Conds {
		name := text[:len(text)-len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz0123456789_"))]
		if name != "" && f.Schema().Index(name) < 0 {
			return 0, files.BadUsage("%s: no rule of %s asks for %s; fields are %s", text, s.file.Name, name, strings.Join(fieldNames(f.Schema()), ", "))
		}
		c, err := f.Schema().ParseCond(text)
		if err != nil {
			return 0, files.BadUsage("%v", err)
		}
		conds = append(conds, c)
	}
	opts := cmd.options()
	opts.Complete = s.complete()
	answer, err := policy.Query(a.ctx, f, conds, cmd.Verdict, opts)
	if err != nil {
		return 0, err
	}
	q.Answer = answer.Extent.String()
	q.valued = true
	if table != nil {
		q.Table, q.Chain = table.Name, table.Chains[entry].Name
	}
	q.fill(&answer.Difference, cmd.Regions, func(r *policy.Region) regionJSON {
		j := regionOf(&answer.Difference, r)
		for _, at := range r.Olds {
			j.OldRules = append(j.OldRules, s.decider(table, entry, at))
		}
		j.OldRules = slices.Compact(j.OldRules)
		return j
	})
	return answer.Extent, a.report(cmd.Output, q, func(w *meaningText) { w.answer(q, answer) }, cmd.Color)
}

// fieldNames returns the names of the fields that conditions are on.
func fieldNames(s *rules.Schema) (names []string) {
	for i := range s.Len() {
		if name := s.Field(i).Name; name != "hotdrop" {
			names = append(names, name)
		}
	}
	return names
}

// answer writes an answer for people.
func (w *meaningText) answer(q *queryJSON, answer *policy.Answer) {
	said := map[policy.Extent]string{policy.No: "no", policy.Some: "yes, some", policy.All: "yes, all", policy.Unsure: "unsure"}[answer.Extent]
	if answer.Packets.Sign() == 0 {
		said = "no: there are no such packets"
	}
	w.line("%s", w.colors.paint(bold, said))
	if answer.Extent != policy.No {
		w.changes(&q.chainMeaning)
	}
	if q.Partial != "" {
		w.line("  %s", w.colors.paint(yellow, "partial: "+q.Partial+"; there may be more"))
	}
	for i := range q.Regions {
		w.region(&q.Regions[i], true)
	}
	w.more(q.More)
}

// decisions is list with a verdict for lists that say none.
func (s *side) decisions() *policy.Function {
	if f, valued := s.list(); valued {
		return f
	}
	match := func(int) string { return "MATCH" }
	if s.file.Native != nil {
		return policy.OfList(s.file.Native, match, none)
	}
	return policy.OfList(s.file.ClassBench, match, none)
}

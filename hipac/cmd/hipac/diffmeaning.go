package main

// Comparing two rule files by meaning: which functions of packets there are to be
// compared, and what JSON says of their differences.

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// meaning is what JSON has of a comparison.
type meaning struct {
	Old      string         `json:"old"`
	New      string         `json:"new"`
	Format   string         `json:"format"`
	Same     bool           `json:"same"`
	Partial  bool           `json:"partial"` // a limit was reached: there may be more
	Compared []chainMeaning `json:"compared"`
}

// chainMeaning is how a chain, or a list, differs.
type chainMeaning struct {
	Table   string       `json:"table,omitempty"`
	Chain   string       `json:"chain,omitempty"`
	Lacking string       `json:"lacking,omitempty"` // "old" or "new": the file that does not have it
	Same    bool         `json:"same"`
	Partial string       `json:"partial,omitempty"` // the limit
	Packets string       `json:"packets"`           // that were compared
	Changes []changeJSON `json:"changes,omitempty"`
	Regions []regionJSON `json:"regions,omitempty"`
	More    int          `json:"more_regions,omitempty"`

	valued  bool
	packets *big.Int
}

// changeJSON sums regions.
type changeJSON struct {
	Old     string  `json:"old"`
	New     string  `json:"new,omitempty"` // not of a query
	Regions int     `json:"regions"`
	Packets string  `json:"packets"`
	Share   float64 `json:"share"`             // of all that were compared
	Perhaps string  `json:"perhaps,omitempty"` // packets in regions that depend on tests

	packets, perhaps *big.Int
}

// regionJSON is a region.
type regionJSON struct {
	Old      string            `json:"old"`
	New      string            `json:"new,omitempty"`
	Conds    []string          `json:"conditions"`
	Tests    []string          `json:"tests,omitempty"`
	Unknown  bool              `json:"unknown,omitempty"`
	Packets  string            `json:"packets"`
	Share    float64           `json:"share"`
	OldRules []deciderJSON     `json:"old_rules"`
	NewRules []deciderJSON     `json:"new_rules,omitempty"`
	Witness  string            `json:"witness,omitempty"` // a description; none where the language has no words for it
	Fields   map[string]string `json:"witness_fields"`    // those that it has

	packets *big.Int
}

// unit is something to be compared: the functions, and where they are from.
type unit struct {
	table, chain, lacking string
	functions             [2]*policy.Function
	tables                [2]*rules.Table
	entries               [2]int
	valued                bool
}

// meanings compares and reports whether there is a difference.
func (cmd *diffCmd) meanings(a *app, old, next *side) (different bool, err error) {
	units, err := cmd.units(old, next)
	if err != nil {
		return false, err
	}
	m := &meaning{Old: old.file.Name, New: next.file.Name, Format: old.file.Format, Same: true, Compared: []chainMeaning{}}
	var limit error
	start := a.now()
	for i := range units {
		u := &units[i]
		opts := cmd.options()
		opts.Complete = old.complete()
		if opts.Time > 0 { // what is left of it
			if opts.Time -= a.now().Sub(start); opts.Time <= 0 {
				opts.Time = 1
			}
		}
		d, err := policy.Compare(a.ctx, u.functions[0], u.functions[1], opts)
		if err != nil {
			return false, u.error(old.file, next.file, err)
		}
		if d.Partial != nil && limit == nil {
			limit = d.Partial
		}
		c := chainMeaning{Table: u.table, Chain: u.chain, Lacking: u.lacking, Same: d.Same(), valued: u.valued}
		c.fill(d, cmd.Regions, func(r *policy.Region) regionJSON {
			j := regionOf(d, r)
			for _, at := range r.Olds {
				j.OldRules = append(j.OldRules, old.decider(u.tables[0], u.entries[0], at))
			}
			for _, at := range r.News {
				j.NewRules = append(j.NewRules, next.decider(u.tables[1], u.entries[1], at))
			}
			j.OldRules, j.NewRules = slices.Compact(j.OldRules), slices.Compact(j.NewRules)
			return j
		})
		m.Same = m.Same && c.Same
		m.Partial = m.Partial || d.Partial != nil
		different = different || len(d.Changes) > 0
		m.Compared = append(m.Compared, c)
	}
	err = a.report(cmd.Output, m, func(w *meaningText) { w.difference(m) }, cmd.Color)
	if err == nil && !different && limit != nil {
		err = fmt.Errorf("%w: so far no difference", limit)
	}
	return different, err
}

// error says of which chain an error is.
func (u *unit) error(old, next *files.Rules, err error) error {
	if errors.Is(err, policy.ErrSchema) {
		return fmt.Errorf("%s and %s: %w", old.Name, next.Name, err)
	}
	if u.chain != "" {
		return fmt.Errorf("%s %s: %w", u.table, u.chain, err)
	}
	return err
}

// units returns what is to be compared.
func (cmd *diffCmd) units(old, next *side) ([]unit, error) {
	if old.file.Tables == nil {
		if cmd.Table != "" || cmd.Chain != "" {
			return nil, files.BadUsage("--table and --chain are for iptables and nftables rules, and %s holds %s rules", old.file.Name, old.file.Format)
		}
		var u unit
		var also bool
		u.functions[0], u.valued = old.list()
		u.functions[1], also = next.list()
		if u.valued != also && old.file.Native.Len() > 0 && next.file.Native.Len() > 0 {
			return nil, fmt.Errorf("%s and %s: the rules of one say what they decide behind =>, and those of the other do not", old.file.Name, next.file.Name)
		}
		u.valued = u.valued || also
		return []unit{u}, nil
	}
	sides := [2]*side{old, next}
	if a, b := familyOf(old.file), familyOf(next.file); a != b && a != 0 && b != 0 {
		return nil, fmt.Errorf("%s is of IPv%d and %s of IPv%d: they see no packet in common", old.file.Name, a, next.file.Name, b)
	}
	var units []unit
	for _, s := range sides {
		for _, t := range s.file.Tables.Tables {
			for i := range t.Chains {
				c := &t.Chains[i]
				if c.Policy == rules.NoVerdict || cmd.Table != "" && s.file.Tables.Table(cmd.Table) != t || cmd.Chain != "" && c.Name != cmd.Chain ||
					slices.ContainsFunc(units, func(u unit) bool { return u.table == t.Name && u.chain == c.Name }) {
					continue
				}
				units = append(units, unit{table: t.Name, chain: c.Name, valued: true})
			}
		}
	}
	if len(units) == 0 && (cmd.Table != "" || cmd.Chain != "") {
		return nil, files.BadUsage("neither file has such a built-in chain: %s", cmd.Table+" "+cmd.Chain)
	}
	for i := range units {
		u := &units[i]
		for k, s := range sides {
			t := s.file.Tables.Table(u.table)
			at := -1
			if t != nil {
				at = slices.IndexFunc(t.Chains, func(c rules.Chain) bool { return c.Name == u.chain && c.Policy != rules.NoVerdict })
			}
			if at < 0 {
				u.lacking = []string{"old", "new"}[k]
				continue
			}
			u.tables[k], u.entries[k] = t, at
			f, err := policy.OfChain(t, at)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.file.Name, err)
			}
			u.functions[k] = f
		}
		for k := range u.functions {
			if u.functions[k] == nil {
				u.functions[k] = policy.Constant(u.functions[1-k].Schema(), rules.Accept.String())
			}
		}
	}
	return units, nil
}

// familyOf returns 4 or 6 for the tables of a file, 0 when it has none.
func familyOf(f *files.Rules) int {
	if len(f.Tables.Tables) == 0 {
		return 0
	}
	return f.Tables.Tables[0].Family
}

// someRule is what rules without verdicts decide, in changes.
const someRule = "RULE"

// fill takes over a difference, with the largest regions.
func (c *chainMeaning) fill(d *policy.Difference, most int, region func(*policy.Region) regionJSON) {
	c.packets, c.Packets = d.Packets, d.Packets.String()
	if d.Partial != nil {
		c.Partial = d.Partial.Error()
	}
	for i := range d.Changes {
		x := &d.Changes[i]
		j := changeJSON{Old: x.Old, New: x.New, Regions: x.Regions, Packets: x.Packets.String(), Share: shareOf(x.Packets, d.Packets), packets: x.Packets, perhaps: x.Perhaps}
		if !c.valued {
			j.Old, j.New = cmp.Or(j.Old, someRule), cmp.Or(j.New, someRule)
		}
		if x.Perhaps.Sign() > 0 {
			j.Perhaps = x.Perhaps.String()
		}
		c.Changes = append(c.Changes, j)
	}
	n := min(most, len(d.Regions))
	for i := range n {
		c.Regions = append(c.Regions, region(&d.Regions[i]))
	}
	c.More = len(d.Regions) - n + d.Left
}

// regionOf says of a region what does not depend on the files.
func regionOf(d *policy.Difference, r *policy.Region) regionJSON {
	j := regionJSON{Old: r.Old.Verdict, New: r.New.Verdict, Conds: []string{}, Tests: r.Tests, Unknown: r.Unknown, Packets: r.Packets.String(), packets: r.Packets,
		Share: shareOf(r.Packets, d.Packets), Fields: map[string]string{}}
	for i := range r.Conds {
		j.Conds = append(j.Conds, d.Schema.FormatCond(&r.Conds[i]))
	}
	for f := range d.Schema.Len() {
		field := d.Schema.Field(f)
		if v, ok := d.Schema.Get(r.Witness, f); ok && field.Name != "hotdrop" {
			j.Fields[field.Name] = field.FormatValue(v)
		}
	}
	j.Witness = describeKey(d.Schema, r.Witness, r.Conds)
	return j
}

// report writes a report as JSON or as text.
func (a *app) report(form string, data any, text func(*meaningText), color string) error {
	w := &meaningText{colors: a.useColors(color), columns: columns(a.stdout)}
	if form == "json" {
		enc := json.NewEncoder(&w.out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(data); err != nil {
			return err
		}
	} else {
		text(w)
	}
	_, err := a.stdout.Write(w.out.Bytes())
	return err
}

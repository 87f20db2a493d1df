package cases

// What package policy says of all packets at once, against packets one by one: two
// lists with the regions in which they differ, or one with the findings about its
// rules.

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

// Meaning is one list, or two one behind the other. Values of rules are verdicts.
type Meaning struct {
	Rules *rules.List[string]
	// Olds is the number of rules of the old list; those behind are the new one. It is
	// Alone where findings about one list are checked.
	Olds     int
	Join     bool     // regions of the same verdicts
	Plain    bool     // rules decide nothing but themselves
	Complete bool     // packets have all fields
	Keys     []uint32 // packets; none: every packet of a schema of few bits

	// Regions and Findings are the numbers of what was found by Check, Packets of the
	// packets asked, Decided of those that a rule decides.
	Regions, Findings, Packets, Decided int

	wrong func(*policy.Difference, *policy.LintReport) // for tests: a fault
}

// Alone stands for the number of old rules where there is one list.
const Alone = -1

// meaningSteps bounds the boxes that are looked at; beyond, a result is partial.
const meaningSteps = 20_000

// Kind says what is alike.
func (c *Meaning) Kind() string {
	if c.Olds == Alone {
		return "meaning, findings"
	}
	return "meaning, differences"
}

// Size says how large it is.
func (c *Meaning) Size() string { return plural(c.Rules.Len(), "rule") }

// Check compares. It counts what it found.
func (c *Meaning) Check() error {
	return guarded(func() error {
		c.Regions, c.Findings, c.Packets, c.Decided = 0, 0, 0, 0
		if c.Olds == Alone {
			return c.checkFindings()
		}
		return c.checkDifference()
	})
}

// part returns the list of some of the rules.
func (c *Meaning) part(from, to int) (*rules.List[string], error) {
	b := rules.NewBuilder[string](c.Rules.Schema())
	for i := from; i < to; i++ {
		r := *c.Rules.At(i)
		r.ID = 0
		if _, err := b.Add(r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// nobody is the verdict where no rule decides.
const nobody = "NONE"

// decision returns the rule that decides a packet, without some, and its verdict.
func decision(l *rules.List[string], k rules.Key, gone ...int) (int, string) {
	for i, r := range l.All() {
		if !r.Continue && !slices.Contains(gone, i) && r.Matches(l.Schema(), k) {
			return i, r.Value
		}
	}
	return -1, nobody
}

// packets returns the packets to be asked.
func (c *Meaning) packets() []rules.Key {
	s := c.Rules.Schema()
	if c.Keys == nil {
		return EveryKey(s, c.Complete)
	}
	var out []rules.Key
	for w, keys := s.KeyLen(), c.Keys; len(keys) >= w; keys = keys[w:] {
		out = append(out, rules.Key(keys[:w]))
	}
	return out
}

// EveryKey returns all packets of a schema, absent fields included unless they are
// complete. It is for schemas of few bits.
func EveryKey(s *rules.Schema, complete bool) (out []rules.Key) {
	k := s.NewKey()
	var next func(f int)
	next = func(f int) {
		if f == s.Len() {
			out = append(out, slices.Clone(k))
			return
		}
		for v := range uint64(1) << s.Field(f).Bits {
			s.Set(k, f, rules.U64(v))
			next(f + 1)
		}
		if !complete {
			s.SetAbsent(k, f)
			next(f + 1)
			s.Set(k, f, rules.Value{})
		}
	}
	next(0)
	return out
}

// function is what is asked about a list.
func (c *Meaning) function(l *rules.List[string]) *policy.Function {
	if c.Plain {
		return policy.OfList(l, nil, nobody)
	}
	return policy.OfList(l, func(i int) string { return l.At(i).Value }, nobody)
}

// decision is that of the lists' function.
func (c *Meaning) decision(l *rules.List[string], k rules.Key) (int, string) {
	i, says := decision(l, k)
	if c.Plain && i >= 0 {
		says = rules.FormatRule(l.Schema(), l.At(i)) + " => " + says
	}
	return i, says
}

// inRegion reports whether a packet is in a region.
func inRegion(s *rules.Schema, r *policy.Region, k rules.Key) bool {
	one := rules.Rule[struct{}]{Conds: r.Conds}
	return one.Matches(s, k)
}

func (c *Meaning) checkDifference() error {
	old, err := c.part(0, c.Olds)
	if err != nil {
		return err
	}
	other, err := c.part(c.Olds, c.Rules.Len())
	if err != nil {
		return err
	}
	s := c.Rules.Schema()
	d, err := policy.Compare(context.Background(), c.function(old), c.function(other), policy.Options{
		Steps: meaningSteps, Regions: 1 << 20, Join: c.Join, Complete: c.Complete})
	if err != nil {
		return err
	}
	if c.wrong != nil {
		c.wrong(d, nil)
	}
	c.Regions = len(d.Regions)
	for i := range d.Regions {
		r := &d.Regions[i]
		if !inRegion(s, r, r.Witness) {
			return fmt.Errorf("region %d: its witness %s is not in it", i, tellPacket(s, r.Witness))
		}
		a, was := c.decision(old, r.Witness)
		b, is := c.decision(other, r.Witness)
		if r.Old != (policy.Decision{Verdict: was, At: rules.Place{Rule: a}}) || r.New != (policy.Decision{Verdict: is, At: rules.Place{Rule: b}}) {
			return fmt.Errorf("region %d, packet %s: got %+v and %+v, want rule %d with %s and rule %d with %s", i, tellPacket(s, r.Witness), r.Old, r.New, a, was, b, is)
		}
	}
	keys, differ := c.packets(), 0
	for _, k := range keys {
		a, was := c.decision(old, k)
		_, is := c.decision(other, k)
		c.Packets++
		if a >= 0 {
			c.Decided++
		}
		want, got := 0, 0
		if was != is {
			want = 1
		}
		differ += want
		for i := range d.Regions {
			if r := &d.Regions[i]; inRegion(s, r, k) {
				got++
				if !(c.Plain && c.Join) && (r.Old.Verdict != was || r.New.Verdict != is) {
					return fmt.Errorf("packet %s: region %d says %s and %s, the lists %s and %s", tellPacket(s, k), i, r.Old.Verdict, r.New.Verdict, was, is)
				}
			}
		}
		if got != want && (d.Partial == nil || got > want) {
			return fmt.Errorf("packet %s: %s and %s, in %s", tellPacket(s, k), was, is, plural(got, "region"))
		}
	}
	if c.Keys == nil && d.Partial == nil {
		return counted(d, differ, len(keys))
	}
	return nil
}

// counted holds the numbers of packets that a difference tells to be those of all
// packets. It counts only fields that are asked for, so that shares are compared.
func counted(d *policy.Difference, differ, all int) error {
	sum := new(big.Int)
	for _, change := range d.Changes {
		sum.Add(sum, change.Packets)
	}
	got := new(big.Int).Mul(sum, big.NewInt(int64(all)))
	if want := new(big.Int).Mul(d.Packets, big.NewInt(int64(differ))); got.Cmp(want) != 0 {
		return fmt.Errorf("%v of %v packets are said to differ, and %d of %d do", sum, d.Packets, differ, all)
	}
	return nil
}

func (c *Meaning) checkFindings() error {
	l, err := c.part(0, c.Rules.Len())
	if err != nil {
		return err
	}
	r, err := policy.CollectLint(context.Background(), policy.LintOptions{Complete: c.Complete, Steps: 100 * meaningSteps}, c.function(l))
	if err != nil || r.Partial != nil {
		return err
	}
	if c.wrong != nil {
		c.wrong(nil, r)
	}
	c.Findings = len(r.Findings)
	keys := c.packets()
	c.Packets = len(keys)
	met, meets := make([]bool, l.Len()), make([]bool, l.Len())
	for _, k := range keys {
		if i, _ := decision(l, k); i >= 0 {
			c.Decided++
		}
		taken := false
		for i, r := range l.All() {
			if r.Matches(l.Schema(), k) {
				meets[i] = true
				met[i] = met[i] || !taken
				taken = taken || !r.Continue
			}
		}
	}
	// same reports whether the verdicts are the same without some rules.
	same := func(gone ...int) bool {
		return !slices.ContainsFunc(keys, func(k rules.Key) bool {
			_, with := decision(l, k)
			_, without := decision(l, k, gone...)
			return with != without
		})
	}
	said := map[policy.Code]map[int]bool{}
	var gone []int
	for _, f := range r.Findings {
		if f.Code == policy.Irredundant {
			for _, p := range f.Others {
				gone = append(gone, p.Rule)
			}
			continue
		}
		for _, p := range f.Rules {
			if said[f.Code] == nil {
				said[f.Code] = map[int]bool{}
			}
			said[f.Code][p.Rule] = true
			if f.Witness != nil && f.Code != policy.Mergeable && !l.At(p.Rule).Matches(l.Schema(), f.Witness) {
				return fmt.Errorf("rule %d is %s: the witness %s does not match it", p.Rule, f.Code, tellPacket(l.Schema(), f.Witness))
			}
		}
	}
	for i, rule := range l.All() {
		for _, x := range []struct {
			what      string
			got, want bool
		}{
			{"never matches", said[policy.Never][i], !meets[i]},
			{"is hidden", said[policy.Hidden][i] || said[policy.Behind][i], meets[i] && !met[i]},
			{"is redundant", said[policy.Redundant][i], met[i] && !rule.Continue && same(i)},
		} {
			if x.got != x.want {
				return fmt.Errorf("rule %d %s: got %v, want %v", i, x.what, x.got, x.want)
			}
		}
	}
	if !same(gone...) {
		return fmt.Errorf("without the rules %d, which are said not to be needed together, verdicts differ", gone)
	}
	return nil
}

// Shrink leaves out rules and conditions.
func (c *Meaning) Shrink(ctx context.Context) drive.Case {
	type member struct {
		rule rules.Rule[string]
		old  bool
	}
	out := *c
	take := func(list []member) bool {
		b := rules.NewBuilder[string](c.Rules.Schema())
		next := out
		if next.Olds != Alone {
			next.Olds = 0
		}
		for _, m := range list {
			m.rule.ID = 0
			if m.old {
				next.Olds++
			}
			if _, err := b.Add(m.rule); err != nil {
				return false
			}
		}
		next.Rules = b.List()
		if next.Check() == nil {
			return false
		}
		out = next
		return true
	}
	var all []member
	for i, r := range c.Rules.All() {
		all = append(all, member{*r, i < c.Olds})
	}
	if !take(all) {
		return c // it does not come again
	}
	all = fewer(ctx, all, take)
	plainer(ctx, c.Rules.Schema(), rulesOf(out.Rules), func(list []rules.Rule[string]) bool {
		next := make([]member, len(list))
		for i, r := range list {
			next[i] = member{r, all[i].old}
		}
		return take(next)
	})
	return &out
}

// Explain tells the rules.
func (c *Meaning) Explain(w io.Writer) {
	for i, r := range c.Rules.All() {
		list := ""
		if c.Olds != Alone {
			list = "old "
			if i >= c.Olds {
				list = "new "
			}
		}
		fmt.Fprintf(w, "%srule %d: %s => %s\n", list, i, rules.FormatRule(c.Rules.Schema(), r), r.Value)
	}
}

// Write writes the case.
func (c *Meaning) Write(w io.Writer) error {
	lines := [][2]string{{"olds", strconv.Itoa(c.Olds)}, {"join", strconv.FormatBool(c.Join)}, {"plain", strconv.FormatBool(c.Plain)}, {"complete", strconv.FormatBool(c.Complete)}}
	if err := writeHead(w, "meaning", append(lines, packetLines(c.Rules.Schema(), c.Keys)...)...); err != nil {
		return err
	}
	return writeRules(w, c.Rules, func(_ int, r *rules.Rule[string]) string { return r.Value })
}

func readMeaning(f *file) (*Meaning, error) {
	l, err := readRules(f.body)
	if err != nil {
		return nil, err
	}
	c := &Meaning{Rules: l, Join: f.last("join") == "true", Plain: f.last("plain") == "true", Complete: f.last("complete") == "true"}
	if c.Olds, err = strconv.Atoi(f.last("olds")); err != nil || c.Olds < Alone || c.Olds > l.Len() {
		return nil, fmt.Errorf("olds %q: want the number of rules of the old list, or %d", rules.Excerpt(f.last("olds")), Alone)
	}
	bits := 0
	for i := range l.Schema().Len() {
		bits += l.Schema().Field(i).Bits
	}
	if c.Keys, err = readPackets(f, l.Schema()); err == nil && c.Keys == nil && bits > 16 {
		return nil, fmt.Errorf("no packets, and a schema of %d bits: too many to ask all", bits)
	}
	return c, err
}

package main

// The command explain: which rule decides a packet, what would if that one were not
// there, and why a rule that one has in mind did not.

import (
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
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/saved"
	"github.com/hipac-go/classifier/rules/xt"
)

type explainCmd struct {
	files.RuleFlags   `group:"Rules"`
	Table             string   `placeholder:"NAME" help:"iptables, nftables: the table; filter, or the only one, when not given." group:"Rules"`
	Chain             string   `placeholder:"NAME" help:"iptables, nftables: the built-in chain, or base chain, that packets enter at; when not given FORWARD, or the table's first." group:"Rules"`
	Rule              []string `placeholder:"REF" help:"Say why this rule did not decide: its number in the list, as hipac print shows it, of iptables and nftables CHAIN/NUMBER; may be given several times."`
	Next              int      `default:"3" placeholder:"N" help:"How many rules to show that would be next (default 3)."`
	Packet            []string `short:"p" sep:"none" placeholder:"TEXT" help:"A packet, described as hipac trace takes it, or for a list FIELD=VALUE ...; may be given several times." group:"Packets"`
	files.PacketFlags `group:"Packets"`
	Number            int    `placeholder:"N" help:"Only the N-th packet of --packets, from 1." group:"Packets"`
	Output            string `enum:"text,json" default:"text" placeholder:"FORM" help:"text for people (the default), or json (an object a line)."`
	Color             string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
}

// Help is shown in front of the flags.
func (explainCmd) Help() string {
	return `Says for each packet which rule of a list or a chain decides, and what it compared;
which rules would decide if that one were not there, one after the other; and of
rules that --rule names why they did not decide: the first thing that does not
hold, the rule that decided before, or why the packet never came to their chain.
The rule is the one that a lookup finds. For the whole way of a packet through the
tables see hipac trace.

    packet   tcp 10.0.0.1:50000 > 192.0.2.1:22
    verdict  ACCEPT  INPUT/3  line 7: -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT
             src 10.0.0.1 in 10.0.0.0/8; dport 22; proto tcp
    then     DROP    INPUT/policy
    rule     INPUT/4  line 8: -s 10.1.0.0/16 -j DROP
             no: src is 10.0.0.1, the rule wants 10.1.0.0/16

Examples:

    hipac explain --rules office.rules --packet 'tcp 10.0.0.1:4242 > 192.0.2.7:443' --rule 12
    hipac explain --rules save.txt --chain INPUT --rule INPUT/7 -p 'udp 10.0.0.1 > 10.0.0.2:53 in=lan0'
    hipac explain --rules save.txt --packets today.pcap --number 17
    hipac explain --rules acl1.rules --packet 'src=10.0.0.1 dst=192.0.2.1 sport=1 dport=80 proto=tcp'`
}

// explanationJSON is what JSON has of a packet.
type explanationJSON struct {
	Packet   int           `json:"packet"`
	Text     string        `json:"description"`
	Verdict  string        `json:"verdict"`
	By       *deciderJSON  `json:"by"`
	Compared []answerJSON  `json:"compared,omitempty"`
	Needs    string        `json:"needs,omitempty"`
	Next     []nextJSON    `json:"next,omitempty"`
	Rules    []*reasonJSON `json:"rules,omitempty"`

	answers []rules.Answer
}

// nextJSON would decide if what is in front of it were not there.
type nextJSON struct {
	Verdict string      `json:"verdict"`
	By      deciderJSON `json:"by"`
}

// reasonJSON is why a rule did not decide.
type reasonJSON struct {
	deciderJSON
	Why      string        `json:"why"`
	Failed   *answerJSON   `json:"failed,omitempty"`
	By       *deciderJSON  `json:"decided_by,omitempty"`
	Compared []answerJSON  `json:"compared,omitempty"`
	Ways     []*reasonJSON `json:"ways,omitempty"` // rules that lead to a chain that was not entered

	failed *rules.Answer
}

// explainer explains packets by the rules of a file.
type explainer interface {
	schema() *rules.Schema
	explain(k rules.Key, p *packet.Packet, at time.Time) (*explanationJSON, error)
}

// Run explains.
func (cmd *explainCmd) Run(a *app) error {
	if err := checkPackets(&cmd.RuleFlags, &cmd.PacketFlags, cmd.Packet, cmd.Number, cmd.Next); err != nil {
		return err
	}
	s, err := a.readSide(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	e, err := cmd.explainer(a, s)
	if err != nil {
		if a.ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	w := &explainText{cmd: cmd, meaningText: meaningText{colors: a.useColors(cmd.Color), columns: columns(a.stdout)}}
	if cmd.Packets != "" {
		err = cmd.file(a, s, e, w)
	} else {
		err = cmd.described(e, w)
	}
	if _, werr := a.stdout.Write(w.out.Bytes()); werr != nil {
		return werr
	}
	return err
}

// described explains the packets of --packet.
func (cmd *explainCmd) described(e explainer, w *explainText) error {
	for i, text := range cmd.Packet {
		k, p, at, err := parsePacket(e.schema(), text)
		if err != nil {
			return files.BadUsage("--packet: %v", err)
		}
		x, err := e.explain(k, p, at)
		if err != nil {
			return err
		}
		x.Packet, x.Text = i+1, text
		if err := w.packet(x); err != nil {
			return err
		}
	}
	return nil
}

// parsePacket reads a packet: a description, or fields of the schema, of which those
// that are not named are absent.
func parsePacket(s *rules.Schema, text string) (k rules.Key, p *packet.Packet, at time.Time, err error) {
	words := strings.Fields(text)
	if len(words) == 0 || !strings.Contains(words[0], "=") {
		d, err := describe.Parse(text)
		if err != nil {
			return nil, nil, at, err
		}
		if k = keyOf(s, &d.Packet); k == nil {
			return nil, nil, at, errors.New("the rules are for packets of the other family of addresses")
		}
		return k, &d.Packet, d.Time, nil
	}
	k = s.NewKey()
	for f := range s.Len() {
		s.SetAbsent(k, f)
	}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		f := s.Index(name)
		if !ok || f < 0 {
			return nil, nil, at, fmt.Errorf("%q: FIELD=VALUE, of %s", word, strings.Join(fieldNames(s), ", "))
		}
		v, err := s.Field(f).ParseValue(value)
		if err != nil {
			return nil, nil, at, err
		}
		s.Set(k, f, v)
	}
	return k, nil, at, nil
}

// file explains the packets of --packets.
func (cmd *explainCmd) file(a *app, s *side, e explainer, w *explainText) error {
	cmd.Tables = s.file.Tables != nil
	in, err := a.openPackets(&cmd.PacketFlags, e.schema())
	if err != nil {
		return err
	}
	defer in.close()
	k := e.schema().NewKey()
	describer := newDescriber(e.schema())
	for n := 1; a.ctx.Err() == nil; n++ {
		info, err := in.Next(k)
		var damaged *capture.PacketError
		switch {
		case err == io.EOF:
			if cmd.Number >= n {
				return fmt.Errorf("%s: no packet %d: there are %d", in.Name(), cmd.Number, n-1)
			}
			return nil
		case errors.As(err, &damaged):
			if cmd.Number == 0 || cmd.Number == n {
				a.complain(err)
			}
			if cmd.Number == n {
				return errors.New("the packet cannot be decoded")
			}
			continue
		case err != nil:
			return err
		}
		if cmd.Number > n {
			continue
		}
		p := in.Packet()
		x, err := e.explain(k, p, info.Time)
		if err != nil {
			return fmt.Errorf("packet %d: %w", n, err)
		}
		x.Packet = n
		if p != nil {
			x.Text = describe.Format(p)
		} else {
			x.Text = describer.describe(k)
		}
		if err := w.packet(x); err != nil {
			return err
		}
		if w.out.Len() > 64<<10 {
			if _, err := w.out.WriteTo(a.stdout); err != nil {
				return err
			}
		}
		if cmd.Number == n {
			return nil
		}
	}
	return errInterrupted
}

// explainer compiles the rules.
func (cmd *explainCmd) explainer(a *app, s *side) (explainer, error) {
	table, entry, err := s.file.Choose(cmd.Table, cmd.Chain)
	if err != nil {
		return nil, err
	}
	switch {
	case table != nil:
		e := &chainExplainer{cmd: cmd, side: s, table: table, entry: entry, started: a.now()}
		for _, ref := range cmd.Rule {
			at, err := placesOf(table, table.Chains[entry].Name, ref)
			if err != nil {
				return nil, err
			}
			e.asked = append(e.asked, at)
		}
		e.compiled, err = buildTables(a.ctx, s.file, []*rules.Table{table}, nil)
		return e, err
	case s.file.Native != nil:
		return newListExplainer(a, cmd, s, s.file.Native, saved.String[string]{}, textValue)
	}
	return newListExplainer(a, cmd, s, s.file.ClassBench, classbench.Codec{}, nil)
}

// placesOf finds a rule of a chain by its number in the file, "CHAIN/3", or "3" in the
// chain that packets enter at. It may be several of the list.
func placesOf(t *rules.Table, entry, ref string) (places []rules.Place, err error) {
	name, number := entry, ref
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		name, number = ref[:i], ref[i+1:]
	}
	c := t.Find(name)
	n, err := strconv.Atoi(number)
	if c < 0 {
		return nil, files.BadUsage("--rule %s: table %s has no chain %s", ref, t.Name, name)
	}
	if err == nil {
		for i, r := range t.Chains[c].Rules.All() {
			if r.Value.Number == n {
				places = append(places, rules.Place{Chain: c, Rule: i})
			}
		}
	}
	if places != nil {
		return places, nil
	}
	return nil, files.BadUsage("--rule %s: chain %s has no such rule; it has %d", ref, name, kernelRules(&t.Chains[c]))
}

// listExplainer explains by a list.
type listExplainer[T any] struct {
	cmd      *explainCmd
	side     *side
	list     *rules.List[T]
	compiled *hipac.Classifier[T]
	value    func(T) string
	asked    []int
}

func newListExplainer[T any](a *app, cmd *explainCmd, s *side, l *rules.List[T], codec saved.Codec[T], value func(T) string) (*listExplainer[T], error) {
	e := &listExplainer[T]{cmd: cmd, side: s, list: l, value: value}
	for _, ref := range cmd.Rule {
		n, err := strconv.Atoi(ref)
		if err != nil || n < 1 || n > l.Len() {
			return nil, files.BadUsage("--rule %s: a number from 1 to %d", ref, l.Len())
		}
		e.asked = append(e.asked, n-1)
	}
	var err error
	e.compiled, err = hipac.Build(a.ctx, l, nil)
	return e, err
}

func (e *listExplainer[T]) schema() *rules.Schema { return e.list.Schema() }

func (e *listExplainer[T]) verdict(m *hipac.Match[T]) string {
	switch {
	case m.Unknown:
		return rules.Unknown.String()
	case e.value != nil && e.value(m.Value) != "":
		return e.value(m.Value)
	}
	return "MATCH"
}

func (e *listExplainer[T]) explain(k rules.Key, _ *packet.Packet, _ time.Time) (*explanationJSON, error) {
	found, err := e.compiled.Explain(k, e.cmd.Next)
	if err != nil {
		return nil, err
	}
	x := &explanationJSON{Verdict: none, answers: found.Answers}
	at := func(rule int) deciderJSON { return e.side.decider(nil, 0, rules.Place{Rule: rule}) }
	if found.Matched {
		by := at(found.Match.Position)
		x.Verdict, x.By = e.verdict(&found.Match), &by
		for i := range found.Next {
			x.Next = append(x.Next, nextJSON{e.verdict(&found.Next[i]), at(found.Next[i].Position)})
		}
	}
	for _, i := range e.asked {
		r, err := e.compiled.WhyNot(k, i)
		if err != nil {
			return nil, err
		}
		x.Rules = append(x.Rules, e.side.reason(nil, 0, &r))
	}
	return x, nil
}

// reason describes a reason.
func (s *side) reason(t *rules.Table, entry int, r *hipac.Reason) *reasonJSON {
	j := &reasonJSON{deciderJSON: s.decider(t, entry, r.At), Why: r.Why.String(), failed: r.Failed()}
	if j.failed != nil && r.Why == hipac.Failed {
		f := answerOf(j.failed)
		j.Failed = &f
	}
	if r.Why == hipac.Behind {
		by := s.decider(t, entry, r.By)
		j.By = &by
	}
	for i := range r.Answers {
		j.Compared = append(j.Compared, answerOf(&r.Answers[i]))
	}
	for i := range r.Ways {
		j.Ways = append(j.Ways, s.reason(t, entry, &r.Ways[i]))
	}
	return j
}

// chainExplainer explains by a chain.
type chainExplainer struct {
	cmd      *explainCmd
	side     *side
	table    *rules.Table
	entry    int
	compiled *hipac.Tables
	asked    [][]rules.Place
	started  time.Time
}

func (e *chainExplainer) schema() *rules.Schema { return e.table.Schema }

// subject returns a packet on its way, with rules that remember nothing.
func (e *chainExplainer) subject(p *packet.Packet, at time.Time) *xt.Traversal {
	if at.IsZero() {
		at = e.started
	}
	t := xt.NewTraversal(e.table.Schema)
	t.State = &xt.State{Now: func() time.Time { return at }, Random: rand.New(rand.NewPCG(1, 0)).Uint32}
	t.Packet = *p
	return t
}

func (e *chainExplainer) explain(_ rules.Key, p *packet.Packet, when time.Time) (*explanationJSON, error) {
	if p == nil {
		return nil, files.BadUsage("--packet: chains look at whole packets: describe one as 'tcp 10.0.0.1:4242 > 192.0.2.7:443'")
	}
	stop := rules.Stop{Table: e.table, Chain: e.entry}
	trace := e.compiled.Trace(e.subject(p, when), rules.Path{stop}, hipac.TraceOptions{})
	r := trace.Result
	x := &explanationJSON{Verdict: r.Verdict.String(), Needs: r.Needs}
	if r.Verdict == rules.NoVerdict {
		return x, nil
	}
	by := e.side.decider(e.table, e.entry, r.By)
	x.By = &by
	for _, s := range trace.Stops {
		for i := range s.Steps {
			if s.Steps[i].At == r.By && (s.Steps[i].Kind == hipac.Executed || s.Steps[i].Kind == hipac.Unreadable) {
				x.answers = s.Steps[i].Answers
			}
		}
	}
	for _, places := range e.asked {
		var why hipac.Reason
		for i, at := range places { // the part that came furthest
			one, err := e.compiled.WhyNot(e.subject(p, when), stop, at)
			if err != nil {
				return nil, err
			}
			if i == 0 || slices.Index(reaching[:], one.Why) < slices.Index(reaching[:], why.Why) {
				why = one
			}
		}
		x.Rules = append(x.Rules, e.side.reason(e.table, e.entry, &why))
	}
	return x, e.next(x, p, when, r.Result)
}

// reaching is how far a packet came to a rule, from the furthest on.
var reaching = [...]hipac.Why{hipac.Decided, hipac.GoesOn, hipac.Behind, hipac.Failed, hipac.NotEntered}

// next finds what would decide without the rules that do, one after the other.
func (e *chainExplainer) next(x *explanationJSON, p *packet.Packet, at time.Time, r rules.Result) error {
	t := *e.table
	t.Chains = append([]rules.Chain(nil), e.table.Chains...)
	for range e.cmd.Next {
		if r.By.Rule < 0 {
			return nil
		}
		l, err := without(t.Chains[r.By.Chain].Rules, r.By.Rule)
		if err != nil {
			return err
		}
		t.Chains[r.By.Chain].Rules = l
		if r = t.Run(e.subject(p, at), e.entry, nil); r.Verdict == rules.NoVerdict {
			return nil
		}
		x.Next = append(x.Next, nextJSON{r.Verdict.String(), e.side.decider(e.table, e.entry, r.By)})
	}
	return nil
}

// without returns the list with the rule of the file at a position as one that never
// matches, in all the parts that it has.
func without(l *rules.List[rules.Action], position int) (*rules.List[rules.Action], error) {
	number := l.At(position).Value.Number
	list := make([]rules.Rule[rules.Action], 0, l.Len())
	for _, r := range l.All() {
		c := *r
		if c.Value.Number == number {
			c.Conds, c.Unknown = []rules.Cond{rules.In(0)}, ""
			c.Value.Ext = nil
		}
		list = append(list, c)
	}
	return rules.NewList(l.Schema(), list...)
}

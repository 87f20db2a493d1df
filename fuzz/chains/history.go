package chains

// Histories of edits of a live table: after every transaction its answers, and now
// and then those of versions before it, are compared with the walk over a plain
// table to which the same was done.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// limits are those of tables in histories: small, so that walks are short and some
// transactions fail for them.
var limits = rules.Limits{MaxDepth: 8, MaxWalk: 2000}.OrDefault()

// HistoryReport says what was done and compared.
type HistoryReport struct {
	Transactions int
	Edits        int
	Refused      int // transactions with a loop or beyond a limit
	Undone       int // transactions that were rolled back, or failed on purpose
	Packets      int
	Decided      int // by a rule
	Versions     int // that were held for a while and asked again
}

// Add adds another report.
func (r *HistoryReport) Add(o HistoryReport) {
	r.Transactions += o.Transactions
	r.Edits += o.Edits
	r.Refused += o.Refused
	r.Undone += o.Undone
	r.Packets += o.Packets
	r.Decided += o.Decided
	r.Versions += o.Versions
}

// History draws a table of about size rules and so many transactions by a seed,
// and makes them in a live table. The error is the first difference, with what was
// done; the same arguments find it again.
func History(seed uint64, size, transactions int) (HistoryReport, error) {
	return HistoryWrapped(seed, size, transactions, nil)
}

// HistoryWrapped is History with the live table, a way of the name AfterEdits, in
// what wrap makes of it; nil changes nothing. The error is a *HistoryDifference when
// it is about what the table is or was to be.
func HistoryWrapped(seed uint64, size, transactions int, wrap func(Way) Way) (HistoryReport, error) {
	report, err := historyOf(rand.New(rand.NewPCG(seed, 0x415)), size, transactions, nil, wrap)
	if err != nil {
		err = fmt.Errorf("history of a table: seed %d, size %d, transactions %d: %w", seed, size, transactions, err)
	}
	return report, err
}

// HistoryFromBytes is History whose choices are the bytes.
func HistoryFromBytes(data []byte) (HistoryReport, error) {
	return historyOf(fromBytes(data), 10, min(2+len(data)/24, 24), nil, nil)
}

// history is one under way. A chain is nil for a number that no chain has.
type history struct {
	*trial
	live   *hipac.LiveTables
	p      *program
	report HistoryReport
	held   []held
	wrong  func(*rules.Table) *rules.Table // of tests: what the table is taken for
	wrap   func(Way) Way

	options  *hipac.LiveOptions
	versions []*rules.Table // that were committed
	newest   *program       // the last of them
}

// HistoryDifference is a live table that answers otherwise than it should, or that
// cannot be edited.
type HistoryDifference struct {
	Err error // a *compare.Difference among it
	// Versions are the tables that it was, the first of them as it was built, and
	// the last as it should be now.
	Versions []*rules.Table
	Options  *hipac.LiveOptions
	Key      rules.Key // of the packet that got another answer; nil when none did
}

// Error says it.
func (d *HistoryDifference) Error() string { return d.Err.Error() }

// Unwrap returns the error that it is of.
func (d *HistoryDifference) Unwrap() error { return d.Err }

// held is a version that is kept, and what it was.
type held struct {
	s *hipac.TableSnapshot
	t *rules.Table
}

var errOwn = errors.New("the function's own error")

func historyOf(r *rand.Rand, size, transactions int, wrong func(*rules.Table) *rules.Table, wrap func(Way) Way) (HistoryReport, error) {
	h := &history{trial: &trial{drawer: newDrawer(r), size: max(size, 1), ignore: map[string]bool{}}, wrong: wrong, wrap: wrap}
	report, err := h.guarded(r, transactions)
	if err != nil && h.versions != nil {
		if h.p != h.newest {
			h.versions = append(h.versions, h.listed())
		}
		all := &HistoryDifference{Err: err, Versions: h.versions, Options: h.options}
		var d *compare.Difference
		if errors.As(err, &d) {
			all.Key = d.Key
		}
		err = all
	}
	return report, err
}

// guarded returns a panic as an error.
func (h *history) guarded(r *rand.Rand, transactions int) (report HistoryReport, err error) {
	defer func() {
		if x := recover(); x != nil {
			report, err = h.report, fmt.Errorf("panic: %v\n%s", x, debug.Stack())
		}
	}()
	return h.run(r, transactions)
}

func (h *history) run(r *rand.Rand, transactions int) (HistoryReport, error) {
	var table *rules.Table
	for {
		var err error
		if table, err = h.table(h.size); err != nil {
			return h.report, err
		}
		if table.Check(limits) == nil {
			break
		}
		h.size = (h.size + 1) / 2
	}
	h.p = programOf(table)
	var err error
	h.options = &hipac.LiveOptions{NoBackground: true, Limits: limits, LeafRows: r.IntN(4), Counters: r.IntN(2) == 0}
	h.versions, h.newest = []*rules.Table{table}, h.p
	if h.live, err = hipac.NewLiveTables(context.Background(), []*rules.Table{table}, h.options); err != nil {
		return h.report, err
	}
	for range transactions {
		what, err := h.transaction()
		if err == nil {
			err = h.compare()
		}
		if err != nil {
			return h.report, fmt.Errorf("transaction %d: %s: %w\n%s", h.report.Transactions, what, err, describe(h.listed()))
		}
	}
	for _, old := range h.held {
		if err := h.ask(old.s, old.t, 16); err != nil {
			h.versions = nil
			return h.report, fmt.Errorf("a version that was held: %w", err)
		}
		h.report.Versions++
	}
	return h.report, nil
}

// listed returns the program as a table, in which numbers without a chain have one
// without rules; a rule's text is what it is known by.
func (h *history) listed() *rules.Table {
	t, err := h.p.unchecked(h.schema)
	if err != nil {
		return &rules.Table{Name: "filter", Schema: h.schema}
	}
	return t
}

// clone copies the program.
func (p *program) clone() *program {
	q := &program{chains: slices.Clone(p.chains)}
	for _, rs := range p.rules {
		q.rules = append(q.rules, slices.Clone(rs))
	}
	return q
}

// transaction makes some edits in the live table and in the program, and returns
// what was done.
func (h *history) transaction() (what string, err error) {
	h.report.Transactions++
	before := h.p
	h.p = before.clone()
	edits := 1 + h.r.IntN(3)
	if h.r.IntN(8) == 0 {
		edits = 1 + h.r.IntN(60)
	}
	do := func(tx *hipac.TablesTx) error {
		for range edits {
			h.report.Edits++
			said, err := h.edit(tx)
			if what += said + ", "; err != nil {
				return fmt.Errorf("edit: %w", err)
			}
		}
		return nil
	}
	ctx := context.Background()
	end := h.r.IntN(10)
	switch end {
	case 0:
		what += "rolled back: "
		tx := h.live.Begin()
		err = do(tx)
		tx.Rollback()
	case 1:
		what += "failed: "
		var wrong error
		err = h.live.Edit(ctx, func(tx *hipac.TablesTx) error {
			if wrong = do(tx); wrong != nil {
				return wrong
			}
			return errOwn
		})
		if err == errOwn {
			err = nil
		} else if wrong == nil {
			err = fmt.Errorf("got %v, want the function's own error", err)
		}
	case 2:
		what += "dry: "
		_, err = h.live.DryRun(ctx, do)
	default:
		err = h.live.Edit(ctx, do)
	}
	t, bad := h.p.unchecked(h.schema)
	if bad != nil {
		return what, bad
	}
	refused := t.Check(limits)
	if end < 3 {
		h.report.Undone++
		h.p = before
		if end == 2 && refused != nil {
			err = h.mustRefuse(refused, err)
		}
		return what, err
	}
	if refused != nil {
		h.report.Refused++
		h.p = before
		return what, h.mustRefuse(refused, err)
	}
	for n := len(h.p.chains); n > 0 && h.p.chains[n-1].Name == ""; n = len(h.p.chains) { // numbers that are free at the end
		h.p.chains, h.p.rules = h.p.chains[:n-1], h.p.rules[:n-1]
	}
	return what, err
}

// mustRefuse requires that a commit failed as the table's check did.
func (h *history) mustRefuse(refused, err error) error {
	if errors.Is(err, hipac.ErrLoop) || errors.Is(err, rules.ErrLimit) {
		return nil
	}
	return fmt.Errorf("commit gave %v for a table that is refused: %w", err, refused)
}

// unchecked is table without a check, for tables that may be refused.
func (p *program) unchecked(s *rules.Schema) (*rules.Table, error) {
	t := &rules.Table{Name: "filter", Schema: s}
	for i, c := range p.chains {
		l, err := rules.NewList(s, p.rules[i]...)
		if err != nil {
			return nil, err
		}
		c.Rules = l
		t.Chains = append(t.Chains, c)
	}
	return t, nil
}

// someChain returns the number of a chain.
func (h *history) someChain() int {
	for {
		if n := h.r.IntN(len(h.p.chains)); h.p.chains[n].Name != "" {
			return n
		}
	}
}

// edit makes an edit of a random kind.
func (h *history) edit(tx *hipac.TablesTx) (string, error) {
	te, err := tx.Table("filter", 0)
	if err != nil {
		return "", err
	}
	n := h.someChain()
	c := &h.p.chains[n]
	user := c.Policy == rules.NoVerdict
	switch k := h.r.IntN(24); {
	case k == 0:
		name := h.text()
		e, err := te.NewChain(name)
		if err != nil {
			return "", err
		}
		at := slices.IndexFunc(h.p.chains, func(c rules.Chain) bool { return c.Name == "" })
		if at < 0 {
			at = h.p.add("")
		}
		h.p.chains[at], h.p.rules[at] = rules.Chain{Name: name}, nil
		if e.Number() != at {
			return "", fmt.Errorf("new chain %s: got number %d, want %d", name, e.Number(), at)
		}
		return "new chain " + name, nil
	case k == 1 && user:
		what := "delete chain " + c.Name
		used := len(h.p.rules[n]) > 0 || len(h.p.callers(n)) > 0
		err := te.DeleteChain(c.Name)
		if used != errors.Is(err, hipac.ErrInUse) || !used && err != nil {
			return what, fmt.Errorf("in use %v: got %v", used, err)
		}
		if !used {
			*c, h.p.rules[n] = rules.Chain{}, nil
		}
		return what, nil
	case k == 2 && user:
		was := c.Name
		c.Name = h.text()
		return "rename " + was + " to " + c.Name, te.RenameChain(was, c.Name)
	}
	e, err := te.Chain(c.Name)
	if err != nil {
		return "", err
	}
	if e.Len() != len(h.p.rules[n]) || e.Number() != n {
		return "", fmt.Errorf("chain %s: got %d rules and number %d, want %d and %d", c.Name, e.Len(), e.Number(), len(h.p.rules[n]), n)
	}
	if !user && h.r.IntN(10) == 0 {
		c.Policy = []rules.Verdict{rules.Accept, rules.Drop, rules.Reject}[h.r.IntN(3)]
		return fmt.Sprint("policy ", c.Policy, " of ", c.Name), e.SetPolicy(c.Policy)
	}
	said, err := h.editRules(e, n)
	return c.Name + ": " + said, err
}

// editRules makes an edit of the rules of a chain.
func (h *history) editRules(e *hipac.ChainEdit, n int) (string, error) {
	rs := h.p.rules[n]
	draw := func() rules.Rule[rules.Action] {
		var to []int
		for i := range h.p.chains {
			if h.p.chains[i].Name != "" && (i > n || h.r.IntN(20) == 0) {
				to = append(to, i)
			}
		}
		return h.rule(to)
	}
	k := h.r.IntN(9)
	if len(rs) == 0 || k < 4 {
		at := h.r.IntN(len(rs) + 1)
		r := draw()
		var err error
		r.ID, err = e.InsertAt(at, r)
		h.p.rules[n] = slices.Insert(rs, at, r)
		return fmt.Sprintf("insert %s at %d", r.Value.Text, at), err
	}
	at := h.r.IntN(len(rs))
	switch {
	case k < 7:
		h.p.rules[n] = slices.Delete(rs, at, at+1)
		what := fmt.Sprint("delete ", rs[at].Value.Text)
		id, err := e.At(at)
		if err != nil {
			return what, err
		}
		return what, e.Delete(id.ID)
	case k == 7:
		r := draw()
		r.ID = rs[at].ID
		h.p.rules[n][at] = r
		return fmt.Sprintf("replace at %d by %s", at, r.Value.Text), e.Replace(r.ID, r)
	}
	r, to := rs[at], h.r.IntN(len(rs))
	h.p.rules[n] = slices.Insert(slices.Delete(rs, at, at+1), to, r)
	return fmt.Sprintf("move %d to %d", at, to), e.MoveTo(r.ID, to)
}

// compare compares the newest version, and now and then one that was held.
func (h *history) compare() error {
	t := h.listed()
	if h.p != h.newest {
		h.versions, h.newest = append(h.versions, t), h.p
	}
	if h.wrong != nil {
		t = h.wrong(t)
	}
	s := h.live.Snapshot().Table("filter", 0)
	for i := range t.Chains {
		info := s.Chain(i)
		if info.Name != t.Chains[i].Name || info.Policy != t.Chains[i].Policy || info.Rules != t.Chains[i].Rules.Len() {
			return fmt.Errorf("chain %d: got %+v, want %s %v of %d rules", i, info, t.Chains[i].Name, t.Chains[i].Policy, t.Chains[i].Rules.Len())
		}
	}
	if err := h.ask(s, t, 12); err != nil {
		return err
	}
	if h.r.IntN(6) == 0 && len(h.held) < 8 {
		h.held = append(h.held, held{s, t})
	}
	return nil
}

// ask compares what a version answers with the walk.
func (h *history) ask(s *hipac.TableSnapshot, t *rules.Table, n int) error {
	q := &Inquiry{Keys: h.keys(t, n), More: h.more, Entries: t.Roots()}
	want, err := Ask("walk", t, &Answerer{Run: t.Run}, q)
	if err != nil {
		return err
	}
	way := Way{AfterEdits, func(*rules.Table) (*Answerer, error) { return fromSnapshot(s), nil }}
	if h.wrap != nil {
		way = h.wrap(way)
	}
	a, err := way.Build(t)
	if err != nil {
		return err
	}
	got, err := Ask(way.Name, t, a, q)
	if err != nil {
		return err
	}
	h.report.Packets += len(want.All)
	h.report.Decided += want.Decided()
	if _, err = got.Compare(way.Name, t, q, want); err != nil {
		return err
	}
	source := s.Source()
	if n := len(source.Chains); n > len(t.Chains) {
		return fmt.Errorf("source: got %d chains, want at most %d", n, len(t.Chains))
	}
	for _, c := range source.Chains {
		at := t.Find(c.Name)
		if at < 0 || c.Rules.Len() != t.Chains[at].Rules.Len() {
			return fmt.Errorf("source: got chain %s of %d rules", c.Name, c.Rules.Len())
		}
		for i, r := range c.Rules.All() {
			if w := t.Chains[at].Rules.At(i); r.ID != w.ID || r.Value.Text != w.Value.Text {
				return &compare.Difference{Engine: "live", Question: fmt.Sprintf("rule %d of %s", i, c.Name), Got: fmt.Sprint(r.ID, r.Value.Text), Want: fmt.Sprint(w.ID, w.Value.Text)}
			}
		}
	}
	return nil
}

// fromBytes returns random numbers that are the bytes: each decides the number of
// a choice, so that small changes of the bytes change few choices.
func fromBytes(data []byte) *rand.Rand {
	return rand.New(&byteSource{data: data, rest: rand.NewPCG(uint64(len(data)), 7)})
}

type byteSource struct {
	data []byte
	rest *rand.PCG
}

// Uint64 returns a number whose highest byte is the next one, and random ones when
// they are used up.
func (b *byteSource) Uint64() uint64 {
	x := b.rest.Uint64()
	if len(b.data) == 0 {
		return x
	}
	next := b.data[0]
	b.data = b.data[1:]
	return uint64(next)<<56 | x>>8
}

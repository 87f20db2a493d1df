//go:build linux

package kernel

// A comparison: one case, loaded into the kernel and compiled by us. Behind every
// packet the counters of every rule and policy must have moved alike, in the
// kernel, in the walk over the chains, and in the compiled table.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// lab is a namespace with a device. It belongs to the goroutine that made it.
type lab struct {
	tun  int
	last *Case // that was loaded
}

// newLab moves the goroutine to a new namespace with a device.
func newLab() (*lab, error) {
	if err := enter(); err != nil {
		return nil, err
	}
	fd, err := makeTUN(device, false)
	if err != nil {
		return nil, err
	}
	return &lab{tun: fd}, nil
}

func (l *lab) close() { syscall.Close(l.tun) }

// counterSource reads the counters of the kernel's table: for each chain those of
// its rules and, last, that of its policy. Where that takes long, one rule can be
// read alone.
type counterSource interface {
	names() []string
	counts(into [][]count) ([][]count, error)
	close()
}

// maxBurst is how many packets of different lengths are sent between two readings
// of all counters, where one rule can be read alone. A reading of nftables'
// counters takes some 90 microseconds, that of one rule 5.
const maxBurst = 16

// comparison is a case that is loaded.
type comparison struct {
	lab      *lab
	c        *Case
	table    *rules.Table
	entry    int
	text     func(chain, rule int) string
	silent   map[rules.Place]bool // rules without a counter
	kernel   counterSource
	compared []int // by chain of ours: that of the kernel's, whose counters these are
	policy   bool  // the policy of the entry chain is counted
	was, now [][]count
	ways     [2]evaluation
	door     *nftRule      // the first rule, nil: it is read with all others
	door0    count         // what it had counted
	packet   packet.Packet // of way nft
	key      rules.Key
	binder   *packet.Binder
	arrived  int
	matched  int
	hit      [][]bool
}

// evaluation is one of our two ways, with a memory of its own.
type evaluation struct {
	run     func(s rules.Subject, entry int, executed func(rules.Place)) rules.Result
	packet  *xt.Traversal // of iptables' rules
	got     [][]count     // since the last comparison: by chain and rule, last the policy
	touched []rules.Place
	result  rules.Result
}

// load loads a case into the kernel, and makes our two sides of it. The tables of
// before are emptied first, so that nothing is remembered of them.
func (l *lab) load(ctx context.Context, c *Case) (*comparison, error) {
	t := &comparison{lab: l, c: c}
	err := l.clear(ctx, c)
	l.last = c
	if err != nil {
		return nil, err
	}
	switch c.Way {
	case wayNFT:
		err = t.loadNFT(ctx)
	case wayListing:
		err = t.loadListing(ctx)
	default:
		err = t.loadTables(ctx)
	}
	if err == nil {
		err = t.prepare(ctx)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// clear empties what was loaded before in another way, or for the other family:
// lists that matches remember things in are shared by name.
func (l *lab) clear(ctx context.Context, c *Case) (err error) {
	switch last := l.last; {
	case last == nil || last.Way == c.Way && (last.Family == c.Family || c.Way == wayNFT || c.Way == wayListing):
	case last.Way == wayNFT || last.Way == wayListing:
		_, err = runTool(ctx, "flush ruleset\n", "nft", "-f", "-")
	default:
		_, err = runTool(ctx, emptyTables, restoreTool(last.Way, last.Family))
	}
	return err
}

func (t *comparison) close() {
	if t.kernel != nil {
		t.kernel.close()
	}
}

// restoreTool is the program that loads a file of iptables.
func restoreTool(way string, family int) string {
	name := "iptables-"
	if family == 6 {
		name = "ip6tables-"
	}
	if way == wayLegacy {
		return name + "legacy-restore"
	}
	return name + "nft-restore"
}

const emptyTables = "*raw\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*mangle\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"

// errRefused says that one of the sides does not take a program.
var errRefused = errors.New("refused")

func (t *comparison) loadTables(ctx context.Context) error {
	c := t.c
	rs, err := iptables.Read(strings.NewReader(c.Program), iptables.Options{Family: c.Family})
	if err != nil {
		return fmt.Errorf("%w by us: %w", errRefused, err)
	}
	if len(rs.Tables) != 1 {
		return fmt.Errorf("%w: a program has one table", errRefused)
	}
	t.table = rs.Tables[0]
	if _, err := runTool(ctx, emptyTables+c.Program, restoreTool(c.Way, c.Family)); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%w by %s: %w", errRefused, restoreTool(c.Way, c.Family), err))
	}
	t.text = func(chain, rule int) string {
		text, _ := rs.Rule(t.table.Name, t.table.Chains[chain].Name, rule+1)
		return text
	}
	t.policy = true
	if c.Way == wayLegacy {
		t.kernel, err = noNil(openCounters(c.Family, t.table.Name))
		return err
	}
	family := uint8(unix.NFPROTO_IPV4)
	if c.Family == 6 {
		family = unix.NFPROTO_IPV6
	}
	t.kernel, err = noNil(openNFT(family, t.table.Name, true))
	return err
}

func (t *comparison) loadNFT(ctx context.Context) error {
	p, err := readNFT(t.c.Family, t.c.Program)
	var script string
	if err == nil {
		script, err = p.script()
	}
	if err != nil {
		return fmt.Errorf("%w by us: %w", errRefused, err)
	}
	if _, err := runTool(ctx, script, "nft", "-f", "-"); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%w by nft: %w\n%s", errRefused, err, script))
	}
	t.table = p.table
	t.binder, t.key = packet.NewBinder(p.table.Schema), p.table.Schema.NewKey()
	t.text = func(chain, rule int) string { return p.texts[chain][rule] }
	family := map[string]uint8{"ip": unix.NFPROTO_IPV4, "ip6": unix.NFPROTO_IPV6, "inet": unix.NFPROTO_INET}[p.family]
	t.kernel, err = noNil(openNFT(family, nftTableName, false))
	return err
}

// noNil keeps a nil pointer from becoming a source that is not nil.
func noNil[T counterSource](s T, err error) (counterSource, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// prepare compiles the table, and finds its rules among the kernel's.
func (t *comparison) prepare(ctx context.Context) error {
	if t.entry = t.table.Find(entryChain); t.entry < 0 {
		return fmt.Errorf("%w: a program has a chain %s", errRefused, entryChain)
	}
	compiled, err := hipac.BuildTable(ctx, t.table, nil)
	if err != nil {
		return fmt.Errorf("compiling: %w", err)
	}
	names := t.kernel.names()
	if t.was, err = t.kernel.counts(nil); err != nil {
		return err
	}
	layout := make([]int, len(t.table.Chains))
	for i := range t.table.Chains {
		c := &t.table.Chains[i]
		at := -1
		for k, name := range names {
			if name == c.Name {
				at = k
			}
		}
		if n := c.Rules.Len(); n > 0 {
			layout[i] = c.Rules.At(n - 1).Value.Number
		}
		switch {
		case i != t.entry && c.Policy != rules.NoVerdict:
			at = -1 // packets do not come there
		case at < 0:
			return fmt.Errorf("the kernel's table %s has no chain %s", t.table.Name, c.Name)
		case len(t.was[at]) != layout[i]+1:
			return fmt.Errorf("the kernel's chain %s has %d rules, not %d", c.Name, len(t.was[at])-1, layout[i])
		}
		t.compared = append(t.compared, at)
		t.hit = append(t.hit, make([]bool, layout[i]+1))
	}
	if n, ok := t.kernel.(*nftTable); ok {
		if t.door, err = n.rule(entryChain, 0); err != nil {
			return err
		}
		t.door0 = t.was[t.compared[t.entry]][0]
	}
	t.ways[0].run, t.ways[1].run = t.table.Run, compiled.Run
	for w := range t.ways {
		e := &t.ways[w]
		if t.c.Way != wayNFT {
			e.packet = &xt.Traversal{State: &xt.State{}}
		}
		for _, n := range layout {
			e.got = append(e.got, make([]count, n+1))
		}
	}
	return nil
}

// predict evaluates a packet in one of our ways.
func (t *comparison) predict(e *evaluation, raw []byte) error {
	var subject rules.Subject
	length := &t.packet.Length
	if e.packet == nil {
		if err := t.packet.DecodeIP(raw); err != nil {
			return err
		}
		asFromTUN(&t.packet)
		if !t.binder.Key(&t.packet, t.key) {
			return fmt.Errorf("a packet of another family")
		}
		nftKey(t.table.Schema, &t.packet, t.key)
		subject = rules.KeyOnly(t.key)
	} else {
		e.packet.Reset()
		if err := e.packet.Packet.DecodeIP(raw); err != nil {
			return err
		}
		asFromTUN(&e.packet.Packet)
		e.packet.Changed()
		subject, length = e.packet, &e.packet.Packet.Length
	}
	met := false // a rule other than the first, and than the one that goes to a user's chain
	add := func(at rules.Place) {
		chain := &t.table.Chains[at.Chain]
		if at.Rule >= 0 {
			a := &chain.Rules.At(at.Rule).Value
			at.Rule = a.Number - 1
			met = met || at.Chain != t.entry || at.Rule > 0 && (at.Rule > 1 || a.Kind != rules.Goto)
		} else if at.Rule = len(e.got[at.Chain]) - 1; !t.policy {
			return
		}
		c := &e.got[at.Chain][at.Rule]
		c.packets++
		c.bytes += uint64(*length)
		e.touched = append(e.touched, at)
	}
	e.result = e.run(subject, t.entry, add)
	if e.result.By.Rule < 0 && e.result.Verdict != rules.NoVerdict {
		add(e.result.By)
	}
	if met && e == &t.ways[0] {
		t.matched++
	}
	return nil
}

// asFromTUN adds what the kernel knows of every packet that comes in by the
// device.
func asFromTUN(p *packet.Packet) {
	p.SetIn(device)
	p.SetOut("")
	p.Mark = 0
	p.PktType, p.Has = packet.Unicast, p.Has|packet.HasPktType
}

// send sends a packet to all. A packet that does not come to the first rule, which
// all packets meet, is left out.
func (t *comparison) send(raw []byte) error {
	n, err := syscall.Write(t.lab.tun, raw)
	if err == nil && n != len(raw) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing %x to the device: %w", raw, err)
	}
	came := false
	if t.door != nil {
		now, err := t.door.read()
		if err != nil {
			return err
		}
		came, t.door0 = now != t.door0, now
	} else {
		if err := t.read(); err != nil {
			return err
		}
		came = t.moved(t.entry, 0) != count{}
	}
	if !came {
		return nil
	}
	t.arrived++
	for w := range t.ways {
		if err := t.predict(&t.ways[w], raw); err != nil {
			return fmt.Errorf("packet %x: %w", raw, err)
		}
	}
	return nil
}

// read reads all counters.
func (t *comparison) read() (err error) {
	if t.now, err = t.kernel.counts(t.now); err != nil {
		return err
	}
	for _, k := range t.compared {
		if k >= 0 && len(t.now[k]) != len(t.was[k]) {
			return fmt.Errorf("the kernel's chain %s had %d rules, and has %d", t.kernel.names()[k], len(t.was[k])-1, len(t.now[k])-1)
		}
	}
	t.was, t.now = t.now, t.was
	return nil
}

// moved is what a rule counted between the last two readings.
func (t *comparison) moved(chain, rule int) count {
	k := t.compared[chain]
	a, b := t.was[k][rule], t.now[k][rule]
	return count{a.packets - b.packets, a.bytes - b.bytes}
}

// compare returns what differs since the last comparison, nil for nothing.
func (t *comparison) compare() (differ []RuleCounts, err error) {
	if t.door != nil {
		if err := t.read(); err != nil {
			return nil, err
		}
	}
	walk, compiled := t.ways[0].got, t.ways[1].got
	for i := range t.table.Chains {
		if t.compared[i] < 0 {
			continue
		}
		last := len(walk[i]) - 1
		for n := range walk[i] {
			if n == last && (i != t.entry || !t.policy) {
				continue // no rule of anybody's
			}
			k := t.moved(i, n)
			if k != (count{}) {
				t.hit[i][n] = true
			}
			if t.door == nil && t.moved(t.entry, 0) == (count{}) {
				continue // a packet that did not come
			}
			if n < last && t.silent[rules.Place{Chain: i, Rule: n}] {
				continue
			}
			if k != walk[i][n] || k != compiled[i][n] {
				differ = append(differ, RuleCounts{t.describe(i, n, last), Count{k.packets, k.bytes}, Count{walk[i][n].packets, walk[i][n].bytes}, Count{compiled[i][n].packets, compiled[i][n].bytes}})
			}
		}
	}
	for w := range t.ways {
		e := &t.ways[w]
		for _, at := range e.touched {
			e.got[at.Chain][at.Rule] = count{}
		}
		e.touched = e.touched[:0]
	}
	return differ, nil
}

func (t *comparison) describe(chain, rule, last int) string {
	name := t.table.Chains[chain].Name
	if rule == last {
		return name + " policy"
	}
	return fmt.Sprintf("%s %d: %s", name, rule+1, t.text(chain, rule))
}

// rules returns how many rules there are, and how many of them counted packets.
func (t *comparison) rules() (all, hit int64) {
	for i := range t.hit {
		if t.compared[i] < 0 {
			continue
		}
		for _, h := range t.hit[i][:len(t.hit[i])-1] {
			all++
			if h {
				hit++
			}
		}
	}
	return all, hit
}

// try loads a case and sends its packets, up to the first that differs.
func (l *lab) try(ctx context.Context, c *Case) (*Difference, *comparison, error) {
	d, t, err := l.tryBursts(ctx, c, maxBurst)
	if err != nil || d == nil || t.door == nil {
		return d, t, err
	}
	// Of a burst that differs, which packet is it? Once more, one by one.
	one, t, err := l.tryBursts(ctx, c, 1)
	if err == nil && one == nil {
		return d, t, nil
	}
	return one, t, err
}

func (l *lab) tryBursts(ctx context.Context, c *Case, burst int) (*Difference, *comparison, error) {
	t, err := l.load(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	defer t.close()
	if t.door == nil {
		burst = 1
	}
	last := -1
	for _, list := range bursts(c.Packets, burst) {
		if ctx.Err() != nil {
			return nil, t, ctx.Err()
		}
		for _, raw := range list {
			if err := t.send(raw); err != nil {
				return nil, t, err
			}
			last++
		}
		differ, err := t.compare()
		if err != nil {
			return nil, t, err
		}
		if differ != nil {
			r := t.ways[0].result
			verdict := r.Verdict.String()
			if r.Dropped {
				verdict += ", for it cannot be read"
			}
			return &Difference{Case: *c, At: last, Counts: differ, Verdict: verdict}, t, nil
		}
	}
	return nil, t, nil
}

// bursts splits packets into bursts of different lengths: then two packets cannot
// be taken for each other by what they add to the counters.
func bursts(packets [][]byte, size int) (list [][][]byte) {
	seen := map[int]bool{}
	from := 0
	for i, p := range packets {
		if i-from == size || seen[len(p)] {
			list, from = append(list, packets[from:i]), i
			clear(seen)
		}
		seen[len(p)] = true
	}
	return append(list, packets[from:])
}

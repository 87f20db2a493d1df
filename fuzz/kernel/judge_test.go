//go:build linux

package kernel

// The judge: a rule file is loaded into the kernel and read by us; packets go
// to both, and behind every packet the counters of every rule and policy must
// have moved alike - in the kernel, in the walk over the chains, and in the
// compiled table.

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// maxReports bounds the differences that one program reports.
const maxReports = 12

// tableRun is a table in one hook, evaluated in one of our ways.
type tableRun struct {
	in    string // the hook
	table *rules.Table
	entry int
	run   func(s rules.Subject, entry int, executed func(rules.Place)) rules.Result
}

// side is one of our two ways of evaluation, with a memory of its own.
type side struct {
	name  string
	sub   *xt.Traversal
	steps []tableRun
	got   map[place]count // by the last packet
	ended rules.Result
}

// place is a rule of a chain by its number, from 0, or the policy: -1.
type place struct {
	table, chain string
	number       int
}

// judge compares one program.
type judge struct {
	t           *testing.T
	w           *world
	rs          *iptables.Ruleset
	text        string
	kernel      []*kernelTable
	names       []string // of the tables
	was         [][][]count
	sides       []*side
	order       []string // of differences
	differences map[string]*difference
	hits        map[place]int // packets that matched, as the kernel says
	shots       int
	// arrival says that every packet must come to the rule first.
	arrival bool
	own     bool // the rule in front of it takes what the kernel sends itself
	// mayMiss says that packets that do not come there are left out.
	mayMiss bool
	// capture compares what goes out by the second device.
	capture bool
	// routed says that packets come to the rules when they have been routed.
	routed            bool // when they come to the first
	goesOn            bool // when they come to the last
	arrived, captures int
	random            bool // see extension
	first             place
	// meta tells of a packet what its bytes do not say; nil: what TUN makes of
	// every packet.
	meta func(t *xt.Traversal, s *shot)
}

// hookSpec names a hook: the chain of every table that a packet goes through.
type hookSpec struct{ table, chain string }

// newJudge loads a program. The packets go through the hooks in order.
func newJudge(t *testing.T, w *world, text string, hooks []hookSpec, state func() *xt.State) (*judge, error) {
	t.Helper()
	if _, err := tryRun(text, w.tool()+"-restore"); err != nil {
		return nil, fmt.Errorf("%s-restore: %w", w.tool(), err)
	}
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{File: t.Name(), Family: w.family, Sets: w.sets})
	require.NoError(t, err, text)
	j := &judge{t: t, w: w, rs: rs, text: text, hits: map[place]int{}, differences: map[string]*difference{}, meta: w.tunMeta}
	for _, tb := range rs.Tables {
		k := openTable(t, w.family, tb.Name)
		j.kernel = append(j.kernel, k)
		j.names = append(j.names, tb.Name)
		j.was = append(j.was, k.read(t, nil))
	}
	walk := &side{name: "rules.Table.Run"}
	compiled := &side{name: "hipac.Table.Run"}
	for _, s := range []*side{walk, compiled} {
		s.sub = &xt.Traversal{State: state()}
		s.got = map[place]count{}
		j.sides = append(j.sides, s)
	}
	for _, h := range hooks {
		tb := rs.Table(h.table)
		if tb == nil {
			continue
		}
		entry := tb.Find(h.chain)
		require.GreaterOrEqual(t, entry, 0, h.chain)
		c, err := hipac.BuildTable(context.Background(), tb, nil)
		require.NoError(t, err)
		walk.steps = append(walk.steps, tableRun{h.chain, tb, entry, tb.Run})
		compiled.steps = append(compiled.steps, tableRun{h.chain, tb, entry, c.Run})
	}
	return j, nil
}

// predict sends a packet through one of our sides.
func (j *judge) predict(s *side, shot *shot) {
	s.sub.Reset()
	raw := shot.raw
	if j.routed {
		raw = forwarded(raw)
	}
	if shot.frame != nil {
		require.NoError(j.t, s.sub.Packet.DecodeEthernet(join(shot.frame, raw)), shot.name)
	} else {
		require.NoError(j.t, s.sub.Packet.DecodeIP(raw), shot.name)
	}
	j.meta(s.sub, shot)
	s.sub.Changed()
	clear(s.got)
	for i, step := range s.steps {
		if i > 0 && step.in == "FORWARD" && s.steps[i-1].in == "PREROUTING" {
			s.sub.Forwarded()
			s.sub.Packet.SetOut(device2)
			s.sub.Changed()
		}
		if i > 0 && step.in == "INPUT" && !own4.Contains(s.sub.Packet.DstAddr()) && !own6.Contains(s.sub.Packet.DstAddr()) {
			return // it is forwarded
		}
		count1 := func(at rules.Place) {
			number := -1
			if at.Rule >= 0 {
				number = step.table.Chains[at.Chain].Rules.At(at.Rule).Value.Number - 1
			}
			p := place{step.table.Name, step.table.Chains[at.Chain].Name, number}
			c := s.got[p]
			s.got[p] = count{c.packets + 1, c.bytes + uint64(s.sub.Packet.Length)}
		}
		s.ended = step.run(s.sub, step.entry, count1)
		if s.ended.By.Rule < 0 && s.ended.Verdict != rules.NoVerdict {
			count1(s.ended.By)
		}
		if s.ended.Verdict != rules.Accept && s.ended.Verdict != rules.NoVerdict {
			return
		}
	}
}

// fire sends a packet to all, and compares. It returns how many rules the
// kernel's walk met.
func (j *judge) fire(s *shot) {
	j.t.Helper()
	j.shots++
	if j.capture {
		j.w.captured(s) // what is left of before
	}
	j.w.send(j.t, s)
	moved := map[place]count{}
	for i, k := range j.kernel {
		now := k.read(j.t, nil)
		for c := range now {
			last := len(now[c]) - 1
			for n := range now[c] {
				d := count{now[c][n].packets - j.was[i][c][n].packets, now[c][n].bytes - j.was[i][c][n].bytes}
				if d == (count{}) {
					continue
				}
				p := place{j.names[i], k.chains[c].name, n}
				if n == last {
					if p.number = -1; !isHook(p.chain) {
						continue // the end of a user chain: no rule of anybody's
					}
				}
				if !j.onPath(p) || j.own && p.number == 0 {
					continue
				}
				moved[p] = d
				j.hits[p]++
			}
		}
		j.was[i] = now
	}
	if j.arrival && moved[j.first] == (count{}) {
		if !j.mayMiss {
			j.t.Errorf("packet %d %q %x never comes to the first rule", j.shots, s.name, s.raw)
		}
		return
	}
	j.arrived++
	var out [][]byte
	if j.capture {
		out = j.w.captured(s)
	}
	for _, side := range j.sides {
		j.predict(side, s)
		j.compare(side, s, moved)
		if j.capture {
			j.compareBytes(side, s, out)
		}
	}
}

// compareBytes compares the packets that the kernel sent on with ours.
func (j *judge) compareBytes(side *side, s *shot, out [][]byte) {
	if len(out) == 0 {
		return
	}
	j.captures++
	if side.ended.Verdict != rules.Accept {
		j.note(side, s, fmt.Sprintf("the kernel sends it on, we end with %v", side.ended.Verdict))
		return
	}
	ours := side.sub.Packet.Rewrite(nil)
	if !j.goesOn {
		ours = forwarded(ours)
	}
	if j.random {
		ours, out[0] = withoutPorts(ours), withoutPorts(out[0])
	}
	if !bytes.Equal(ours, out[0]) {
		j.note(side, s, fmt.Sprintf("sent on differently, for example\n    ours   %x\n    kernel %x", ours[:min(len(ours), 100)], out[0][:min(len(out[0]), 100)]))
	}
}

// onPath reports whether a place is in a table that the packets go through:
// what the kernel answers goes out by other hooks.
func (j *judge) onPath(p place) bool {
	if !isHook(p.chain) {
		return true
	}
	for _, step := range j.sides[0].steps {
		if step.table.Name == p.table && step.table.Chains[step.entry].Name == p.chain {
			return true
		}
	}
	return false
}

func isHook(chain string) bool {
	for _, h := range hookChains {
		if h == chain {
			return true
		}
	}
	return false
}

// compare notes the places where the kernel and one of our sides differ.
func (j *judge) compare(side *side, s *shot, moved map[place]count) {
	var lines []string
	for p, k := range moved {
		switch o, ok := side.got[p]; {
		case !ok:
			lines = append(lines, "only the kernel counts "+j.describe(p))
		case o.packets != k.packets:
			lines = append(lines, fmt.Sprintf("we count %d packets, the kernel %d: %s", o.packets, k.packets, j.describe(p)))
		case o != k:
			lines = append(lines, fmt.Sprintf("we count %d bytes, the kernel %d: %s", o.bytes, k.bytes, j.describe(p)))
		}
	}
	for p := range side.got {
		if _, ok := moved[p]; !ok {
			lines = append(lines, "only we count "+j.describe(p))
		}
	}
	if lines == nil {
		return
	}
	slices.Sort(lines)
	j.note(side, s, strings.Join(lines, "\n  "))
}

// withoutPorts returns a packet with zeros in place of ports and checksums.
func withoutPorts(b []byte) []byte {
	b = bytes.Clone(b)
	at := 20
	if b[0]>>4 == 6 {
		at = 40
	}
	proto := b[9]
	if at == 40 {
		proto = b[6]
	}
	switch proto {
	case packet.TCP:
		clear(b[at : at+4])
		clear(b[at+16 : at+18])
	default:
		clear(b[at : at+8])
	}
	return b
}

// note keeps a difference, alike ones together.
func (j *judge) note(side *side, s *shot, what string) {
	kind := what
	if i := strings.IndexByte(what, ','); i > 0 && strings.HasPrefix(what, "sent on") {
		kind = what[:i]
	}
	d := j.differences[kind]
	if d == nil {
		d = &difference{what: what}
		j.differences[kind] = d
		j.order = append(j.order, kind)
		result := fmt.Sprint(side.ended.Verdict)
		if side.ended.Dropped {
			result += " (hotdrop)"
		}
		if side.ended.Needs != "" {
			result += ", needs " + side.ended.Needs
		}
		d.first = fmt.Sprintf("packet %d %q %x: ours ends %s", j.shots, s.name, s.raw[:min(len(s.raw), 120)], result)
	}
	d.packets++
	if !slices.Contains(d.sides, side.name) {
		d.sides = append(d.sides, side.name)
	}
}

// difference is what went differently, alike for some packets.
type difference struct {
	what    string
	packets int
	sides   []string
	first   string
}

// finish reports the differences.
func (j *judge) finish() {
	j.t.Helper()
	for i, kind := range j.order {
		if i == maxReports {
			j.t.Errorf("and %d differences more", len(j.order)-i)
			break
		}
		d := j.differences[kind]
		j.t.Errorf("%d times, by %s, first %s\n  %s", d.packets, strings.Join(d.sides, " and "), d.first, d.what)
	}
	j.order = nil
}

func (j *judge) describe(p place) string {
	if p.number < 0 {
		return p.table + " " + p.chain + " policy"
	}
	text, _ := j.rs.Rule(p.table, p.chain, p.number+1)
	return fmt.Sprintf("%s %s %d: %s", p.table, p.chain, p.number+1, text)
}

// send writes a packet to the device.
func (w *world) send(t *testing.T, s *shot) {
	t.Helper()
	fd := w.in
	if s.back {
		fd = w.out
	}
	if s.local {
		w.sendLocal(t, s)
		return
	}
	raw := s.raw
	if s.frame != nil {
		raw = join(s.frame, raw)
	}
	n, err := syscall.Write(fd, raw)
	require.NoError(t, err, s.name)
	require.Equal(t, len(raw), n)
}

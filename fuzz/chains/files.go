package chains

// Relations between files of iptables that say the same: matches of sets, lists of
// ports, states of connections, and files that are printed and read back. Rules are
// known by their comments.

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// line is a rule of a file.
type line struct {
	chain, text, target string
	lists               []list // none or one
}

// list is a match that has a list of alternatives, of which at most one holds for a
// packet, and the matches that each say one of them.
type list struct {
	whole string
	parts []string
}

// nets are the addresses of each set; none overlap another of its set.
var nets = [][]string{
	{"10.0.0.1", "10.0.0.4/30", "10.0.0.0"},
	{"10.0.0.8/29", "10.0.0.2/31", "10.0.1.0/24", "10.0.0.7"},
	{"10.0.0.0/28"},
}

func sets() (*ipset.Sets, error) {
	var b strings.Builder
	for i, list := range nets {
		fmt.Fprintf(&b, "create s%d hash:net family inet\n", i)
		for _, n := range list {
			fmt.Fprintf(&b, "add s%d %s\n", i, n)
		}
	}
	return ipset.Read(strings.NewReader(b.String()), ipset.Options{})
}

// setMatch draws a match of a set.
func (t *trial) setMatch() list {
	i, source := t.r.IntN(len(nets)), t.r.IntN(2) == 0
	out := list{whole: fmt.Sprintf("-m set --match-set s%d %s", i, map[bool]string{true: "src", false: "dst"}[source])}
	for _, n := range nets[i] {
		out.parts = append(out.parts, map[bool]string{true: "-s ", false: "-d "}[source]+n)
	}
	return out
}

// listMatch draws a match with a list of ports, or of states.
func (t *trial) listMatch() list {
	if t.r.IntN(2) == 0 {
		out := list{whole: "-m conntrack --ctstate NEW,ESTABLISHED", parts: []string{"-m conntrack --ctstate NEW", "-m conntrack --ctstate ESTABLISHED"}}
		if t.r.IntN(3) == 0 {
			return list{out.whole + ",RELATED", append(out.parts, "-m conntrack --ctstate RELATED")}
		}
		return out
	}
	side := []string{"sport", "dport"}[t.r.IntN(2)]
	ports := []string{"80", "81:82", "443", "1000:4000", "65535", "0"}
	from := t.r.IntN(len(ports) - 2)
	ports = ports[from : from+2+t.r.IntN(len(ports)-from-1)]
	out := list{whole: fmt.Sprintf("-p tcp -m multiport --%ss %s", side, strings.Join(ports, ","))}
	for _, p := range ports {
		out.parts = append(out.parts, fmt.Sprintf("-p tcp -m tcp --%s %s", side, p))
	}
	return out
}

// lines draws a file; lists draws the matches with alternatives.
func (t *trial) lines(lists func() list) (out []line) {
	names := []string{"INPUT", "c1", "c2", "c3"}
	n := 4 + t.r.IntN(t.size+1)/2
	for i := range n {
		c := t.r.IntN(len(names))
		if i < 3 {
			c = 0
		}
		l := line{chain: names[c]}
		if t.r.IntN(2) == 0 || i < 3 {
			l.lists = append(l.lists, lists())
		}
		more := []string{
			fmt.Sprintf("-i eth%d", t.r.IntN(2)),
			fmt.Sprintf("-m mark --mark %d/3", t.r.IntN(3)),
			fmt.Sprintf("-m length --length 40:%d", 40+20*t.r.IntN(3)),
		}
		if len(l.lists) == 0 { // an address can be asked for once
			more = append(more, fmt.Sprintf("-s 10.0.0.%d", t.r.IntN(12)), fmt.Sprintf("! -d 10.0.0.%d/31", 2*t.r.IntN(6)))
		}
		for _, m := range more {
			if t.r.IntN(4) == 0 {
				l.text += " " + m
			}
		}
		leads := func() string { return names[min(c+1+t.r.IntN(3), len(names)-1)] }
		switch k := t.r.IntN(8); {
		case k < 4:
			l.target = []string{"DROP", "ACCEPT"}[k%2]
		case k == 4:
			l.target = "RETURN"
		case k > 5 && c+1 < len(names):
			l.target = leads()
		}
		if len(l.lists) == 0 && l.text == "" && l.target != "" { // or else most packets end there
			if l.target = ""; c+1 < len(names) {
				l.target = leads()
			}
		}
		out = append(out, l)
	}
	return out
}

// file writes lines, with alternatives spelled out or not.
func file(lines []line, spelled bool) (string, int) {
	var b strings.Builder
	b.WriteString("*filter\n:INPUT ACCEPT [0:0]\n:c1 - [0:0]\n:c2 - [0:0]\n:c3 - [0:0]\n")
	changes := 0
	for i, l := range lines {
		matches := []string{l.text}
		for _, alternatives := range l.lists {
			if matches = []string{l.text + " " + alternatives.whole}; spelled {
				matches = nil
				for _, part := range alternatives.parts {
					matches = append(matches, l.text+" "+part)
				}
				changes++
			}
		}
		for _, m := range matches {
			fmt.Fprintf(&b, "-A %s%s -m comment --comment r%d", l.chain, " "+strings.TrimSpace(m), i)
			if l.target != "" {
				fmt.Fprintf(&b, " -%s %s", map[bool]string{true: "g", false: "j"}[strings.HasPrefix(l.target, "c") && i%4 == 0], l.target)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString("COMMIT\n")
	return strings.ReplaceAll(b.String(), "  ", " "), changes
}

func asSet(t *trial) error   { return t.spelled(t.setMatch) }
func asLists(t *trial) error { return t.spelled(t.listMatch) }

// spelled compares a file whose matches have lists with one of a rule for each of
// their parts.
func (t *trial) spelled(lists func() list) error {
	lines := t.lines(lists)
	from, err := sets()
	if err != nil {
		return err
	}
	whole, _ := file(lines, false)
	parts, changes := file(lines, true)
	t.report.Changes += changes
	before, err := iptables.Read(strings.NewReader(whole), iptables.Options{Family: 4, Sets: from})
	if err != nil {
		return err
	}
	after, err := iptables.Read(strings.NewReader(parts), iptables.Options{Family: 4, Sets: from})
	if err != nil {
		return err
	}
	return t.alike(before, after)
}

// readAgain prints a file, as text or as JSON, and reads it.
func readAgain(t *trial) error {
	lines := t.lines(func() list {
		if t.r.IntN(2) == 0 {
			return t.setMatch()
		}
		return t.listMatch()
	})
	from, err := sets()
	if err != nil {
		return err
	}
	o := iptables.Options{Family: 4, Sets: from}
	text, _ := file(lines, t.r.IntN(2) == 0)
	before, err := iptables.Read(strings.NewReader(text), o)
	if err != nil {
		return err
	}
	t.report.Changes += len(lines)
	var printed bytes.Buffer
	var after *iptables.Ruleset
	if t.r.IntN(2) == 0 {
		if err = iptables.WriteJSON(&printed, before, false); err == nil {
			after, err = iptables.ReadJSON(&printed, o)
		}
	} else if err = iptables.Write(&printed, before, false); err == nil {
		after, err = iptables.Read(&printed, o)
	}
	if err != nil {
		return err
	}
	return t.alike(before, after)
}

// traffic draws a packet of few values.
func (t *trial) traffic() (p packet.Packet, err error) {
	pick := func(list ...int) int { return list[t.r.IntN(len(list))] }
	addr := func() [4]uint32 { return [4]uint32{2: 0xffff, 3: 10<<24 | uint32(t.r.IntN(14)|pick(0, 0, 0, 0x100))} }
	h := packet.Packet{Family: 4, Src: addr(), Dst: addr(), Proto: uint8(pick(6, 6, 6, 17)), TTL: 64, Length: uint32(pick(40, 60, 80)),
		SrcPort: uint16(pick(0, 79, 80, 83, 1000, 4000)), DstPort: uint16(pick(80, 81, 443, 999, 4001, 65535))}
	if t.r.IntN(12) == 0 {
		h.FragOffset = 3
	}
	if err := p.Decode(h.AppendIP(nil), packet.LinkRaw); err != nil {
		return p, err
	}
	p.Mark = uint32(t.r.IntN(4))
	p.SetIn("eth" + fmt.Sprint(t.r.IntN(3)))
	p.SetOut("")
	p.SetCTState(uint8(1 << t.r.IntN(4)))
	return p, nil
}

// alike requires that some ways answer the same about the table filter of two
// files.
func (t *trial) alike(before, after *iptables.Ruleset) error {
	const n = 2 * packets
	traffic := make([]packet.Packet, n)
	for i := range traffic {
		var err error
		if traffic[i], err = t.traffic(); err != nil {
			return err
		}
	}
	for _, w := range t.some() {
		was, err := ask(w, before, traffic)
		if err != nil {
			return err
		}
		is, err := ask(w, after, traffic)
		if err != nil {
			return err
		}
		t.report.Cases++
		t.report.Packets += n
		for i := range was {
			t.report.Comparisons++
			if was[i].By == "policy" {
				t.report.Misses++
			} else {
				t.report.Hits++
			}
			if !same(&was[i], &is[i]) {
				return &compare.Difference{Engine: w.Name, Question: "way of packet " + fmt.Sprint(i), Got: fmt.Sprintf("%+v", is[i]), Want: fmt.Sprintf("%+v", was[i])}
			}
		}
	}
	return nil
}

// ask sends packets through INPUT of the table filter.
func ask(w Way, rs *iptables.Ruleset, traffic []packet.Packet) ([]said, error) {
	table := rs.Table("filter")
	a, err := w.Build(table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	comment := func(at rules.Place) string {
		c := &table.Chains[at.Chain]
		text, _ := rs.Rule("filter", c.Name, c.Rules.At(at.Rule).Value.Number)
		_, text, _ = strings.Cut(text, "--comment ")
		text, _, _ = strings.Cut(text, " ")
		return strings.Trim(text, `"`)
	}
	tr := xt.NewTraversal(table.Schema)
	tr.State = &xt.State{}
	out := make([]said, len(traffic))
	for i := range traffic {
		tr.Start(&traffic[i])
		s := said{By: "policy"}
		s.Result = a.Run(tr, table.Find("INPUT"), func(at rules.Place) { s.Executed = append(s.Executed, comment(at)) })
		if s.Result.By.Rule >= 0 {
			s.By = comment(s.Result.By)
		}
		s.Result.By = rules.Place{}
		out[i] = s
	}
	return out, nil
}

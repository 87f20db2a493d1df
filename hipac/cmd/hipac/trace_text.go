package main

// The trace of a packet for people.

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet/describe"
)

// wayLine is a line of a trace: what stands on its left, the rule or what came
// of it, and the place in the file.
type wayLine struct {
	left, text, where string
	leftColor, color  string
}

// print writes the trace.
func (w *packetWay) print(out *bufio.Writer, c colors, columns int) error {
	lines := []wayLine{
		{left: "packet", text: files.Printable(w.text), leftColor: bold},
		{left: "way", text: w.hooks(), leftColor: bold},
		{},
	}
	step := 0
	for i := range w.trace.Stops {
		stop := &w.trace.Stops[i]
		t := stop.Stop.Table
		head := wayLine{left: t.Name + " " + t.Chains[stop.Stop.Chain].Name, leftColor: bold}
		if stop.Result.Verdict == rules.NoVerdict {
			head.text, head.color = w.notEntered(t), dim
		}
		if len(stop.Steps) == 1 && stop.Steps[0].Kind == hipac.Policy {
			// Nothing matches: a line is enough.
			head.text = "policy " + stop.Result.Verdict.String()
			if head.color = dim; stop.Result.Verdict != rules.Accept {
				head.color = verdictColor(stop.Result.Verdict.String())
			}
			if stop.Passed > 0 {
				head.text += fmt.Sprintf(" (%s)", verb(stop.Passed, "rule", "does not match", "do not match"))
			}
			lines = append(lines, head)
			step++
			continue
		}
		lines = append(lines, head)
		for j := range stop.Steps {
			lines = append(lines, w.step(i, &stop.Steps[j], step)...)
			step++
		}
	}
	if n := w.trace.Left; n > 0 {
		lines = append(lines, wayLine{text: fmt.Sprintf("and %s", plural(n, "more step")), color: yellow})
	}
	lines = append(lines, w.near()...)
	lines = append(lines, wayLine{}, w.verdict())

	left, where, middle := 0, 0, 0
	for _, l := range lines {
		if l.text != "" || l.where != "" {
			left = max(left, width(l.left))
		}
		if where = max(where, width(l.where)); l.where != "" && width(l.text) <= 100 {
			middle = max(middle, width(l.text))
		}
	}
	left = min(left, 36)
	for _, l := range lines {
		line := c.paint(l.leftColor, pad(l.left, left)) + "  "
		text := l.text
		if columns > 0 {
			room := columns - left - 2
			if l.where != "" {
				room -= where + 2
			}
			text = cut(text, max(room, 20))
		}
		if l.where != "" {
			text = pad(text, middle)
		}
		line += c.paint(l.color, text)
		if l.where != "" {
			line += "  " + c.paint(dim, l.where)
		}
		if _, err := out.WriteString(strings.TrimRight(line, " ") + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// hooks names the stops of the way.
func (w *packetWay) hooks() string {
	var parts []string
	last := ""
	for _, stop := range w.path {
		if hook := stop.Table.Chains[stop.Chain].Name; hook != last {
			parts = append(parts, hook+": "+stop.Table.Name)
			last = hook
		} else {
			parts[len(parts)-1] += ", " + stop.Table.Name
		}
	}
	return strings.Join(parts, "; ")
}

// notEntered says why a packet does not enter a table.
func (w *packetWay) notEntered(t *rules.Table) string {
	if w.family == t.Family {
		return "not entered: the packet does not begin a connection"
	}
	return fmt.Sprintf("not entered: not an IPv%d packet", t.Family)
}

// step writes a step and what goes with it.
func (w *packetWay) step(stop int, s *hipac.Step, index int) []wayLine {
	t := w.path[stop].Table
	c := &t.Chains[s.At.Chain]
	indent := strings.Repeat("  ", s.Depth+1)
	switch s.Kind {
	case hipac.Returned:
		return []wayLine{{left: indent + c.Name, text: "return", leftColor: dim, color: dim}}
	case hipac.Policy:
		v := c.Policy.String()
		return []wayLine{{left: indent + c.Name, text: "policy " + v, color: verdictColor(v)}}
	}
	text, number, line := w.rule(stop, s.At)
	l := wayLine{left: indent + place(c.Name, strconv.Itoa(number)), text: files.Printable(text), where: w.place(line)}
	switch s.Kind {
	case hipac.Missed:
		l.leftColor, l.color = dim, dim
		lines := []wayLine{l}
		if why := failures(s.Answers); why != "" {
			lines = append(lines, wayLine{text: "  no: " + files.Printable(why), color: dim})
		}
		return lines
	case hipac.Unreadable:
		return []wayLine{l, {text: "  drops the packet: " + w.dropped.String(), color: red}}
	}
	r := c.Rules.At(s.At.Rule)
	if r.Value.Kind == rules.Decide {
		l.color = verdictColor(r.Value.Verdict.String())
	}
	lines := []wayLine{l}
	if why := compared(s.Answers); why != "" {
		lines = append(lines, wayLine{text: "  " + files.Printable(why), color: dim})
	}
	for i := w.before[index]; i < w.before[index+1]; i++ {
		lines = append(lines, wayLine{text: "  -> " + files.Printable(w.effects[i].String()), color: purple})
	}
	return lines
}

// place writes a line of the rule file.
func (w *packetWay) place(line int) string {
	if line == 0 {
		return ""
	}
	name := w.rulesName
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	if name == "standard input" {
		name = "line "
		return name + strconv.Itoa(line)
	}
	return files.Printable(name) + ":" + strconv.Itoa(line)
}

// near writes the near misses.
func (w *packetWay) near() (lines []wayLine) {
	if len(w.trace.Near) == 0 {
		return nil
	}
	lines = append(lines, wayLine{}, wayLine{left: "near misses", leftColor: bold})
	for _, n := range w.trace.Near {
		t := w.path[n.Stop].Table
		text, number, line := w.rule(n.Stop, n.At)
		lines = append(lines,
			wayLine{left: "  " + t.Name + " " + place(t.Chains[n.At.Chain].Name, strconv.Itoa(number)), text: files.Printable(text), where: w.place(line)},
			wayLine{text: "  no: " + files.Printable(failure(&n.Failed)), color: yellow})
	}
	return lines
}

// verdict writes what becomes of the packet.
func (w *packetWay) verdict() wayLine {
	r := w.decider()
	v := r.Verdict.String()
	l := wayLine{left: "verdict", text: v, leftColor: bold, color: verdictColor(v)}
	if r.Stop < 0 {
		l.text += ": it enters no table"
		return l
	}
	t := w.path[r.Stop].Table
	chain := t.Name + " " + t.Chains[r.By.Chain].Name
	if r.By.Rule < 0 {
		l.text += "  by the policy of " + chain
	} else {
		text, number, line := w.rule(r.Stop, r.By)
		l.text += "  by " + place(chain, strconv.Itoa(number)) + ": " + files.Printable(text)
		l.where = w.place(line)
	}
	if r.Needs != "" && t.Chains[r.By.Chain].Rules.At(r.By.Rule).Unknown == "" {
		l.text += "  (needs " + files.Printable(needed(r.Needs, "")) + ")"
	}
	return l
}

// decider returns what decided: of an accepted packet filter, where it came by
// that, since the other tables are not there to let packets through.
func (w *packetWay) decider() rules.PathResult {
	r := w.trace.Result
	if r.Verdict != rules.Accept {
		return r
	}
	for i := range w.trace.Stops {
		if s := &w.trace.Stops[i]; s.Stop.Table.Name == "filter" && s.Result.Verdict == rules.Accept {
			return rules.PathResult{Result: s.Result, Stop: i}
		}
	}
	return r
}

// labels are the fields whose names on the command line of iptables, and in
// packet descriptions, are others.
var labels = map[string]string{"iif": "in", "oif": "out", "tcpflags": "flags", "smac": "mac", "icmptype": "type", "icmpcode": "code"}

func label(field string) string {
	if l, ok := labels[field]; ok {
		return l
	}
	return field
}

// wanted returns what a condition wants of its field: "80,443", "not 22".
func wanted(a *rules.Answer) string {
	text := strings.TrimPrefix(a.Wanted, a.Field)
	orAbsent := strings.HasPrefix(text, "?")
	text = strings.TrimPrefix(text, "?")
	not := strings.HasPrefix(text, "!")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "!"), "=")
	if want, mask, ok := strings.Cut(text, "/"); ok && !strings.ContainsAny(mask, "0123456789.:") {
		// Bits by name: the mask says which count.
		mask = strings.ReplaceAll(mask, "+", ",")
		switch {
		case want == "none" && not:
			text, not = mask, false
		case want == "none":
			text = "none of " + mask
		case want == mask:
			text = mask
		default:
			text = strings.ReplaceAll(want, "+", ",") + " of " + mask
		}
	}
	for _, all := range []string{"/0xffffffff", "/0xff", "/0xffff"} {
		text = strings.TrimSuffix(text, all)
	}
	if text == "*" {
		text = "any"
	}
	if not {
		text = "not " + text
	}
	if orAbsent {
		text += ", or none"
	}
	return text
}

// compared writes what a rule that matches compared.
func compared(answers []rules.Answer) string {
	var parts []string
	for i := range answers {
		a := &answers[i]
		switch {
		case a.Outcome == rules.Unsure:
			parts = append(parts, unsureOf(a))
		case a.Field == "":
			parts = append(parts, a.Wanted+": yes")
		case !a.Present:
			parts = append(parts, "no "+label(a.Field))
		case wanted(a) == a.Got || wanted(a) == "any":
			parts = append(parts, label(a.Field)+" "+a.Got)
		case strings.HasPrefix(wanted(a), "not "):
			parts = append(parts, label(a.Field)+" "+a.Got+" "+wanted(a))
		case strings.Contains(wanted(a), " of "):
			parts = append(parts, label(a.Field)+" "+a.Got+" (wanted: "+wanted(a)+")")
		default:
			parts = append(parts, label(a.Field)+" "+a.Got+" in "+wanted(a))
		}
	}
	return strings.Join(parts, "; ")
}

// failures writes what did not hold.
func failures(answers []rules.Answer) string {
	var parts []string
	for i := range answers {
		if a := &answers[i]; a.Asked && a.Outcome != rules.Yes {
			parts = append(parts, failure(a))
		}
	}
	return strings.Join(parts, "; ")
}

// failure writes why a condition or a test does not hold.
func failure(a *rules.Answer) string {
	switch {
	case a.Outcome == rules.Unsure:
		return unsureOf(a)
	case a.Field == "":
		return a.Wanted + " does not hold"
	case !a.Present && said(label(a.Field)):
		return fmt.Sprintf("%s= is not given, the rule wants %s", label(a.Field), wanted(a))
	case !a.Present:
		return fmt.Sprintf("the packet has no %s, the rule wants %s", cmp.Or(interfaces[a.Field], label(a.Field)), wanted(a))
	}
	return fmt.Sprintf("%s is %s, the rule wants %s", label(a.Field), a.Got, wanted(a))
}

// unsureOf writes what nobody knows of a test.
func unsureOf(a *rules.Answer) string {
	if a.Wanted == a.Needs {
		return a.Wanted + ": not modelled"
	}
	return a.Wanted + ": unknown, needs " + needed(a.Needs, "")
}

// interfaces are the fields that packets on some hooks are without.
var interfaces = map[string]string{"iif": "in-interface", "oif": "out-interface"}

// said reports whether packets have a field only where a description, a
// capture's link layer or --meta says it.
func said(field string) bool {
	return slices.ContainsFunc(describe.Words(), func(w describe.Word) bool {
		return w.Name == field && (w.Meta && field != "in" && field != "out" || w.Link)
	})
}

// saying are the words of a packet description that say what is missing, and
// giving the flags.
var (
	saying = map[string]string{"owner": "uid=", "cgroup": "cgroup=", "physdev": "physin=", "rpfilter": "rpfilter=", "socket": "socket=", "policy": "ipsec=",
		"ipvs": "ipvs=", "the path's MTU": "mtu=", "the packet's connection": "ctstate=", "addrtype": "srctype= or dsttype=",
		"the interface": "in= or out=", "cpu": "cpu=", "realm": "realm=", "devgroup": "ingroup= or outgroup="}
	giving = map[string]string{"addrtype": "--routes", "set": "--sets"}
)

// needed writes what is missing, and the word or the flag that says it; where
// is put behind the word.
func needed(what, where string) string {
	kind, _, _ := strings.Cut(what, " ")
	word, flag := saying[what], giving[kind]
	switch {
	case word != "" && flag != "":
		return what + ": say " + word + where + ", or give " + flag
	case word != "":
		return what + ": say " + word + where
	case flag != "":
		return what + ": give " + flag
	}
	return what
}

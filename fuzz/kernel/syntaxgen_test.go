//go:build linux

package kernel

// Random rules of every match and target of the registry, with values around
// the corners of what their options take, against the tools:
//
//	go test ./fuzz/kernel -run RandomRules -v -syntax 300 [-extension NAME]
//
// Differences are for a person to judge, see syntax_test.go; of those that look
// the same but for numbers a few are printed.

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/iptables"
)

var (
	syntaxRules = flag.Int("syntax", 0, "random rules of every match and target to compare with the tools")
	syntaxOf    = flag.String("extension", "", "only this match or target")
	syntaxSeed  = flag.Uint64("syntaxseed", 1, "seed of the random rules")
	syntaxPlain = flag.Bool("syntaxplain", false, "leave out values that are outside of an option's form")
)

// cornerValues returns texts around the corners of what an option takes.
func (g *generator) cornerValue(p *iptables.Param) string {
	f := &p.Form
	number := func() string {
		top := f.Max
		if top == 0 {
			top = 65535
		}
		pool := []string{fmt.Sprint(f.Min), fmt.Sprint(top), fmt.Sprint(top / 2), fmt.Sprint(f.Min + 1), "1", "2", "5", "24", fmt.Sprintf("%#x", top), fmt.Sprintf("0%o", top/3)}
		if !*syntaxPlain {
			if f.Max > 0 && f.Max+1 > f.Max {
				pool = append(pool, fmt.Sprint(f.Max+1))
			}
			pool = append(pool, "-1", "0", "", "foo", "0x", "1x", "08")
		}
		return pick(g, pool...)
	}
	symbol := func() string {
		if len(f.Symbols) == 0 {
			return number()
		}
		s := pick(g, f.Symbols...)
		switch g.IntN(12) {
		case 0:
			return strings.ToUpper(s)
		case 1:
			return strings.ToLower(s)
		case 2:
			return s[:max(1, len(s)-1)]
		}
		return s
	}
	addr := func() string {
		a := pick(g, g.addr(), g.network(), g.network())
		if !*syntaxPlain && g.oneIn(12) {
			a = pick(g, "", "foo", "1.2.3.4", "2001:db8::1", a+"/129", "1.2.3", a+",")
		}
		return a
	}
	list := func(one func() string, sep string) string {
		n := 1 + g.IntN(3)
		if f.Items > 0 && g.oneIn(6) {
			n = f.Items + g.IntN(2)
		}
		items := make([]string, n)
		for i := range items {
			items[i] = one()
		}
		return strings.Join(items, sep)
	}
	word := func() string {
		pool := []string{"foo", "9", "a-b", strings.Repeat("x", max(f.MaxLen, 4)), strings.Repeat("y", max(f.MaxLen, 4)-1)}
		if !*syntaxPlain {
			pool = append(pool, "a b", `a"b`, `a\b`, "a'b", "-x", "!", "a,b", "", strings.Repeat("z", f.MaxLen+1))
		}
		if f.Max > 0 {
			pool = []string{number(), number() + "-" + number(), number() + ":" + number()}
		}
		return pick(g, pool...)
	}
	switch f.Kind {
	case "number":
		if len(f.Symbols) > 0 && g.oneIn(2) {
			return symbol()
		}
		return number()
	case "range":
		sep := p.Separator
		if sep == "" {
			sep = ":"
		}
		return pick(g, number(), number()+sep+number(), number()+sep+number(), sep+number(), number()+sep, sep, symbol())
	case "masked":
		if strings.HasPrefix(f.Syntax, "ADDR") {
			return addr()
		}
		return pick(g, number(), number()+"/"+number(), symbol(), symbol()+"/"+number())
	case "address":
		if strings.HasPrefix(f.Syntax, "XX") {
			return pick(g, "00:11:22:33:44:55", "0:1:2:3:4:5", "ff:FF:ff:ff:ff:ff", "00:11:22:33:44", "001122334455", "00-11-22-33-44-55")
		}
		if strings.Contains(f.Syntax, "PORT") {
			a, ports := g.addr(), pick(g, "", ":5", ":5-9", ":9-5", ":0", ":65535", ":65536", ":5-9/3", ":http", ":-", ":5-")
			if g.oneIn(3) {
				a += "-" + g.addr()
			}
			if g.family == 6 && ports != "" && !g.oneIn(6) {
				a = "[" + a + "]"
				if i := strings.IndexByte(a, '-'); i > 0 {
					a = a[:i] + "]-[" + a[i+1:]
				}
			}
			return pick(g, a, "") + ports
		}
		if strings.Contains(f.Syntax, "[-") {
			return pick(g, g.addr(), g.addr()+"-"+g.addr(), g.addr()+"-"+g.addr(), g.addr()+"-", "-"+g.addr())
		}
		return pick(g, addr(), g.addr())
	case "prefix":
		return pick(g, number(), fmt.Sprint(g.IntN(140)), "255.255.0.0", "ffff::")
	case "enum":
		if len(f.Symbols) == 0 || f.Max > 0 && g.oneIn(2) {
			return pick(g, number(), number()+"/"+number())
		}
		return pick(g, symbol(), symbol(), symbol(), "foo")
	case "set":
		return list(symbol, ",")
	case "list":
		return list(func() string {
			if strings.HasPrefix(f.Syntax, "ADDR") {
				return g.addr()
			}
			return pick(g, number(), number(), number()+":"+number(), symbol())
		}, ",")
	case "rate":
		return pick(g, number(), number()) + pick(g, "", "/s", "/sec", "/second", "/m", "/min", "/hour", "/day", "kb/s", "mb/s", "b/s", "bit", "kbit", "Mbit", "kbps", "/week")
	case "time":
		return pick(g, "1:2", "01:02:03", "23:59:59", "24:00", "2001", "2001-02-03", "2011-12-13T14:15:16", "2038-01-19T03:14:07", "250ms", "0.5s", "1s", "10us", "16s")
	case "program":
		return pick(g, "1,6 0 0 1", "2,48 0 0 9,6 0 0 0", "0=1", "4&0xff=1:3,5&&0>>22&0x3c@0=2", "0&0xff=0x10", "")
	}
	return word()
}

// quote makes a word of a rule file.
func quoteWord(s string) string {
	if s == "" || strings.ContainsAny(s, " \"'\\") {
		return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"`
	}
	return s
}

// cornerRule returns a rule with the match or target.
func (g *generator) cornerRule(e *iptables.Extension) trial {
	r := trial{family: g.family, table: "filter", chain: pick(g, "INPUT", "FORWARD", "OUTPUT")}
	c := iptables.Describe()
	if g.oneIn(6) {
		t := pick(g, c.Tables...)
		r.table, r.chain = t.Name, pick(g, t.Chains...)
	} else {
		r.table = pick(g, e.Tables...)
		for range 50 {
			h := pick(g, e.Hooks...)
			for _, t := range c.Tables {
				for _, ch := range t.Chains {
					if t.Name == r.table && ch == h {
						r.chain = h
					}
				}
			}
			if r.table != "filter" {
				continue
			}
		}
	}
	var parts []string
	switch {
	case len(e.Protocols) > 0 && !g.oneIn(12):
		parts = append(parts, "-p "+pick(g, e.Protocols...))
	case g.oneIn(3):
		parts = append(parts, pick(g, "-p tcp", "-p udp", "! -p tcp", "-p icmp", "-p sctp", "-p dccp", "-p all", "-p 47"))
	}
	if e.Kind == "match" {
		parts = append(parts, "-m "+e.Name)
	} else {
		parts = append(parts, "-j "+e.Name)
	}
	order := g.Perm(len(e.Params))
	some := 1 + g.IntN(4)
	for n, i := range order {
		p := &e.Params[i]
		if (!p.Mandatory || g.oneIn(12)) && n >= some {
			continue
		}
		times := 1
		if g.oneIn(30) {
			times = 2
		}
		for range times {
			s := "--" + pick(g, append([]string{p.Name}, p.Aliases...)...)
			if p.Negatable && g.oneIn(4) || g.oneIn(40) {
				s = "! " + s
			}
			for range max(p.Words, 0) {
				s += " " + quoteWord(g.cornerValue(p))
			}
			if p.Words < 0 && !g.oneIn(3) {
				s += " " + quoteWord(g.cornerValue(p))
			}
			parts = append(parts, s)
		}
	}
	if e.Kind == "match" && g.oneIn(3) {
		parts = append(parts, "-j ACCEPT")
	}
	r.rule = strings.Join(parts, " ")
	return r
}

var digits = regexp.MustCompile(`"[^"]*"|[0-9a-f.:]{2,}|[0-9]+`)

func TestRandomRulesAreTakenAndPrintedAsTheToolsDo(t *testing.T) {
	if *syntaxRules == 0 {
		t.Skip("no -syntax N")
	}
	enterNamespace(t, false, "iptables-legacy-restore", "ip6tables-legacy-restore")
	c := iptables.Describe()
	seen := map[string]int{}
	for _, e := range append(append([]*iptables.Extension{}, c.Matches...), c.Targets...) {
		if *syntaxOf != "" && e.Name != *syntaxOf {
			continue
		}
		for _, family := range e.Families {
			g := &generator{rand.New(rand.NewPCG(*syntaxSeed, uint64(family))), family}
			for range *syntaxRules {
				r := g.cornerRule(e)
				d := r.compare()
				if d == "" {
					continue
				}
				first, _, _ := strings.Cut(d, "\n")
				key := e.Name + " " + digits.ReplaceAllString(first, "N")
				if seen[key]++; seen[key] <= 2 {
					fmt.Printf("v%d %s.%s %s\n      %s\n", r.family, r.table, r.chain, r.rule, d)
				}
			}
		}
	}
}

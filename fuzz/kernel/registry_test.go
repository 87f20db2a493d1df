//go:build linux

package kernel

// Random rules out of the registry: options drawn from what the catalogue says
// of an extension, values from the forms of the options and from the case
// tables. What we take the tool and the kernel take, and what they print of it
// is what we print.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

// values are those of the case tables, by "match tcp --sport".
func values() map[string][]string {
	v := map[string][]string{}
	for _, e := range extensions {
		for _, r := range slices.Concat(e.rules, e.rules4, e.rules6, e.each) {
			module := ""
			words := strings.Fields(r)
			for i := 0; i+1 < len(words); i++ {
				switch {
				case words[i] == "-m":
					module = "match " + words[i+1]
				case words[i] == "-j":
					module = "target " + words[i+1]
				case strings.HasPrefix(words[i], "--") && !strings.HasPrefix(words[i+1], "-") && !strings.Contains(words[i+1], `"`):
					v[module+" "+words[i]] = append(v[module+" "+words[i]], words[i+1])
				}
			}
		}
	}
	return v
}

// drawer draws rules.
type drawer struct {
	*generator
	known map[string][]string
}

// value draws a value of an option, or says that it cannot.
func (d *drawer) value(e *iptables.Extension, p *iptables.Param) (string, bool) {
	known := d.known[e.Kind+" "+e.Name+" --"+p.Name]
	number := func() string {
		hi := p.Form.Max
		if hi == 0 {
			hi = 1<<32 - 1
		}
		span := hi - p.Form.Min
		return fmt.Sprint(p.Form.Min + pick(d.generator, 0, span, 1, span/2, d.Uint64N(span/2+1), d.Uint64N(min(span, 300)+1)))
	}
	if len(known) > 0 && d.oneIn(2) {
		return pick(d.generator, known...), true
	}
	switch p.Form.Kind {
	case "number":
		return number(), true
	case "range":
		if strings.HasPrefix(p.Form.Syntax, "[") {
			break
		}
		return pick(d.generator, number(), number()+":"+number()), true
	case "masked":
		if len(p.Form.Symbols) > 0 && d.oneIn(3) {
			return pick(d.generator, p.Form.Symbols...), true
		}
		if p.Form.Max > 0 {
			return pick(d.generator, number(), number()+"/"+number()), true
		}
	case "enum":
		if len(p.Form.Symbols) > 0 {
			return pick(d.generator, p.Form.Symbols...), true
		}
	case "set":
		if len(p.Form.Symbols) > 0 {
			var list []string
			for _, s := range p.Form.Symbols {
				if d.oneIn(3) {
					list = append(list, s)
				}
			}
			if list != nil {
				return strings.Join(list, ","), true
			}
			return p.Form.Symbols[0], true
		}
	}
	if len(known) > 0 {
		return pick(d.generator, known...), true
	}
	return "", false
}

// rule draws a rule with an extension: the table, and the text behind "-A ".
func (d *drawer) rule(e *iptables.Extension) (table, rule string, ok bool) {
	type where struct{ table, hook string }
	var places []where
	for _, t := range iptables.Describe().Tables {
		for _, c := range t.Chains {
			if slices.Contains(e.Tables, t.Name) && slices.Contains(e.Hooks, c) && t.Name != "security" {
				places = append(places, where{t.Name, c})
			}
		}
	}
	if places == nil {
		return "", "", false
	}
	at := pick(d.generator, places...)
	var b strings.Builder
	b.WriteString(at.hook)
	if len(e.Protocols) > 0 {
		b.WriteString(" -p " + pick(d.generator, e.Protocols...))
	}
	b.WriteString(map[string]string{"match": " -m ", "target": " -j "}[e.Kind] + e.Name)
	given := map[string]bool{}
	for _, i := range d.Perm(len(e.Params)) {
		p := &e.Params[i]
		if !p.Mandatory && !d.oneIn(3) && (len(given) > 0 || i%2 == 0) || p.Words > 1 || p.Words < 0 {
			continue
		}
		clash := false
		for _, x := range p.Excludes {
			clash = clash || given[x]
		}
		for _, q := range e.Params {
			clash = clash || given[q.Name] && slices.Contains(q.Excludes, p.Name)
		}
		if clash {
			continue
		}
		given[p.Name] = true
		if p.Negatable && d.oneIn(4) {
			b.WriteString(" !")
		}
		b.WriteString(" --" + p.Name)
		if p.Words == 1 {
			v, ok := d.value(e, p)
			if !ok {
				return "", "", false
			}
			b.WriteString(" " + v)
		}
	}
	return at.table, b.String(), true
}

// notAsked are extensions of which the tool or the kernel asks the machine
// before it takes them: for files, names, sets, programs, labels.
var notAsked = []string{
	"match bpf", "match cgroup", "match connlabel", "match helper", "match ipvs", "match nfacct", "match osf", "match policy", "match rateest", "match set", "match udplite",
	"target CLUSTERIP", "target CT", "target IDLETIMER", "target LED", "target RATEEST", "target SECMARK", "target CONNSECMARK", "target SET", "target SAME", "target ULOG",
}

func TestRulesOfTheRegistryAreTakenAndPrintedAsByTheTool(t *testing.T) {
	known := values()
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			w := newWorld(t, family)
			taken, refused := 0, 0
			catalog := iptables.Describe()
			for _, e := range append(slices.Clone(catalog.Matches), catalog.Targets...) {
				if !e.Supported || !slices.Contains(e.Families, family) || slices.Contains(notAsked, e.Kind+" "+e.Name) {
					continue
				}
				d := &drawer{&generator{rand.New(rand.NewPCG(*seed, uint64(len(e.Name))<<8|uint64(e.Name[0]))), family}, known}
				for range max(1, *sets/5) {
					table, rule, ok := d.rule(e)
					if !ok || strings.Contains(rule, "mld-") || strings.Contains(rule, "local-nodemask") {
						continue // names that 1.8.9 does not have, masks that it prints and does not take
					}
					file := fmt.Sprintf("*%s\n-A %s\nCOMMIT\n", table, rule)
					_, theirs := tryRun(file, w.tool()+"-restore")
					rs, ours := iptables.Read(strings.NewReader(file), iptables.Options{Family: family, ReversedRanges: true})
					switch {
					case theirs == nil && ours == nil:
						taken++
						checkSaved(t, w, rs, table)
					case theirs != nil && ours != nil:
						refused++
					case theirs == nil:
						t.Errorf("only the tool takes -A %s (%s): %v", rule, table, ours)
					default:
						t.Errorf("only we take -A %s (%s): %v", rule, table, theirs)
					}
					run(t, "*"+table+"\nCOMMIT\n", w.tool()+"-restore")
				}
			}
			t.Logf("%d rules taken, %d refused", taken, refused)
			require.Greater(t, taken, 50)
		})
	}
}

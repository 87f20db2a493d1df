package chains

// Tables as text, for people who look at a difference.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// describe writes a table, a line for each chain and each rule.
func describe(t *rules.Table) string {
	var b strings.Builder
	for _, c := range t.Chains {
		fmt.Fprintf(&b, "%s %v\n", c.Name, c.Policy)
		for _, r := range c.Rules.All() {
			a := r.Value
			fmt.Fprintf(&b, "  %s", rules.FormatRule(t.Schema, &rules.Rule[string]{Conds: r.Conds}))
			switch a.Kind {
			case rules.Pass:
				b.WriteString(" pass")
			case rules.Decide:
				fmt.Fprintf(&b, " %v", a.Verdict)
			case rules.Return:
				b.WriteString(" return")
			case rules.Jump:
				fmt.Fprintf(&b, " jump %s", t.Chains[a.Chain].Name)
			case rules.Goto:
				fmt.Fprintf(&b, " goto %s", t.Chains[a.Chain].Name)
			}
			if r.Unknown != "" {
				fmt.Fprintf(&b, " unknown %s", r.Unknown)
			}
			if e := a.Ext; e != nil {
				for _, s := range e.Tests {
					fmt.Fprintf(&b, " if %s", s.Text)
				}
				if m, ok := e.Target.(*Mark); ok {
					fmt.Fprintf(&b, " set %s=%d", t.Schema.Field(m.Field).Name, m.Value)
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

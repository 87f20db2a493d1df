package iptables

// The document of matches and targets, EXTENSIONS.md, is made from the
// registry.

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// extensionsTable writes the document EXTENSIONS.md.
func extensionsTable(c *Catalog) string {
	var b strings.Builder
	b.WriteString("# Matches and targets\n\nWhat rules of `iptables` and `ip6tables` may have, made from the registry that parser and printer work with " +
		"(`go test ./rules/iptables -run Extensions -update`). `hipac describe match NAME` tells more of one.\n\n" +
		"Classes: *native* ones are compiled with the rest of the rule; *stateful* ones remember earlier packets; *payload* ones read the packet's bytes; " +
		"*environment* ones ask what the system knows of the packet.\n\n" +
		"Under \"supply\" stands what the caller of an evaluation says besides the packet's bytes, and what follows when it does not: the answer is unknown, or conditions do not hold.\n")
	for _, part := range []struct {
		title string
		list  []*Extension
	}{{"Matches", c.Matches}, {"Targets", c.Targets}} {
		fmt.Fprintf(&b, "\n## %s\n\n| name | what | class | families | places | supply | options |\n|---|---|---|---|---|---|---|\n", part.title)
		for _, e := range part.list {
			class := e.Class.String()
			if !e.Supported {
				class = "not modelled"
			}
			names := "`" + e.Name + "`"
			for _, a := range e.Aliases {
				names += ", `" + a + "`"
			}
			var families, places []string
			for _, f := range e.Families {
				families = append(families, strconv.Itoa(f))
			}
			if len(e.Protocols) > 0 {
				place := "`-p " + strings.Join(e.Protocols, "`, `-p ") + "`"
				if e.ProtocolsFamily != 0 {
					place += fmt.Sprintf(" in IPv%d", e.ProtocolsFamily)
				}
				places = append(places, place)
			}
			if len(e.Tables) < len(c.Tables) {
				places = append(places, "tables "+strings.Join(e.Tables, ", "))
			}
			if e.mod.hooks != 0 {
				places = append(places, "chains "+strings.Join(e.Hooks, ", "))
			}
			places = append(places, e.Notes...)
			for i := range e.Params {
				p := &e.Params[i]
				q := Param{Families: p.Families, Protocols: p.Protocols, Hooks: p.Hooks, Notes: p.Notes}
				if r := q.Restrictions(); r != nil {
					places = append(places, "`--"+p.Name+"`: "+strings.Join(r, ", "))
				}
			}
			supply := strings.Join(e.Supply, "; ")
			if supply != "" {
				supply += ", else " + e.Without
			}
			var options []string
			if e.Needs != "" {
				options = append(options, e.Needs+" of")
			}
			for i, groups := range [][][]string{e.OneOf, e.AnyOf} {
				for _, names := range groups {
					options = append(options, [...]string{"exactly", "at least"}[i]+" one of `"+strings.Join(dashes(names), "` `")+"`;")
				}
			}
			for _, p := range e.Params {
				o := "`"
				if p.Negatable {
					o += "[!] "
				}
				o += "--" + p.Name + "`"
				if p.Mandatory {
					o += " (mandatory)"
				}
				options = append(options, o)
			}
			row := []string{names, e.Summary, class, strings.Join(families, ", "), strings.Join(places, "; "), supply, strings.Join(options, " ")}
			for i := range row {
				row[i] = strings.ReplaceAll(row[i], "|", `\|`)
			}
			b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		}
	}
	return b.String()
}

func TestDocumentOfExtensionsIsThatOfTheRegistry(t *testing.T) {
	got := extensionsTable(Describe())
	const file = "EXTENSIONS.md"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "the registry has changed: go test ./rules/iptables -run Extensions -update")
}

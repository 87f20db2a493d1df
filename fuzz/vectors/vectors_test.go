package vectors

// Syntax vectors: a rule, what is to be printed of it, or that it is refused.
//
//	go test ./fuzz/vectors -v -vectors DIR [-refusals]
//
// A line of a *.t file is "rule;printed;OK", with "=" for what is printed as
// it was given, or "rule;;FAIL". ":CHAIN,CHAIN" says in which chains the lines
// behind it are tried, "*table" in which table; "#" begins a comment, "%" and
// "@" commands that set something up, which are nothing to us. Files named
// libxt_* are for both address families, libipt_* for IPv4, libip6t_* for IPv6.

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

var (
	vectorDir = flag.String("vectors", "", "folder of *.t files")
	refusals  = flag.Bool("refusals", false, "print what is said of every line that is refused")
	least     = flag.Float64("least", 0, "fail when fewer of the lines, in percent, are as stated")
)

// tally counts the checks of one file.
type tally struct{ ok, all int }

func TestLinesOfVectorsAreAsStated(t *testing.T) {
	if *vectorDir == "" {
		t.Skip("no -vectors DIR")
	}
	files, err := filepath.Glob(filepath.Join(*vectorDir, "*.t"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no *.t files in %s", *vectorDir)
	var total tally
	byFile := map[string]*tally{}
	for _, f := range files {
		name := filepath.Base(f)
		byFile[name] = &tally{}
		families := []int{4, 6}
		switch {
		case strings.HasPrefix(name, "libipt_"):
			families = families[:1]
		case strings.HasPrefix(name, "libip6t_"):
			families = families[1:]
		}
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		checkFile(t, name, string(text), families, byFile[name])
		total.ok += byFile[name].ok
		total.all += byFile[name].all
	}
	for _, f := range files {
		if n := byFile[filepath.Base(f)]; n.ok < n.all {
			t.Logf("%-24s %3d of %3d", filepath.Base(f), n.ok, n.all)
		}
	}
	percent := 100 * float64(total.ok) / float64(total.all)
	t.Logf("%d of %d checks as stated: %.1f %%", total.ok, total.all, percent)
	require.GreaterOrEqual(t, percent, *least)
}

func checkFile(t *testing.T, name, text string, families []int, n *tally) {
	chains, table := []string{"INPUT"}, "filter"
	for number, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "", strings.ContainsAny(line[:1], "#%@"):
			continue
		case line[0] == ':':
			chains = strings.Split(strings.TrimSpace(line[1:]), ",")
			continue
		case line[0] == '*':
			table = strings.TrimSpace(line[1:])
			continue
		}
		parts := strings.Split(line, ";")
		if len(parts) < 3 {
			t.Errorf("%s:%d: not a vector: %s", name, number+1, line)
			continue
		}
		rule, want, result := strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])
		if want == "=" {
			want = rule
		}
		for _, family := range families {
			n.all++
			why := ""
			for _, chain := range chains { // all must be as stated
				if why = check(table, chain, rule, want, result, family); why != "" {
					break
				}
			}
			if why == "" {
				n.ok++
				continue
			}
			t.Logf("%s:%d IPv%d: %s\n  %s", name, number+1, family, line, why)
		}
	}
}

// check returns what is wrong, or "".
func check(table, chain, rule, want, result string, family int) string {
	text := fmt.Sprintf("*%s\n-A %s %s\nCOMMIT\n", table, chain, rule)
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{Family: family})
	if result == "FAIL" {
		switch {
		case err == nil:
			return "not refused in " + chain
		case errors.Is(err, rules.ErrUnsupported):
			return "refused as a whole: " + err.Error()
		case *refusals:
			fmt.Printf("%-70s %v%s\n", rule, err, named(rule, err))
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	var out bytes.Buffer
	if err := iptables.Write(&out, rs, false); err != nil {
		return err.Error()
	}
	want = strings.TrimRight("-A "+chain+" "+want, " ")
	lines := strings.Split(out.String(), "\n")
	if slices.Contains(lines, want) {
		return ""
	}
	for _, l := range lines {
		if strings.HasPrefix(l, "-A ") {
			return "printed  " + l
		}
	}
	return "nothing printed"
}

// named says when an error quotes no word of the rule.
func named(rule string, err error) string {
	for _, w := range strings.Fields(rule) {
		if w = strings.Trim(w, `"-`); len(w) > 0 && w != "m" && w != "j" && w != "p" && strings.Contains(err.Error(), w) {
			return ""
		}
	}
	return "   (names no word of the rule)"
}

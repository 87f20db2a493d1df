package tree

// The form that rules are compiled to: how many words of each kind, and which. It may
// change, for a better plan, but not by accident: lookups are as fast, and memory as
// small, as measured of these forms. -update-forms writes them anew.

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

var updateForms = flag.Bool("update-forms", false, "write testdata/forms.txt, the compiled forms of some rules")

// formOf tells a tree by its size and its content.
func formOf(t *Tree, roots ...Ref) string {
	h := sha256.New()
	for _, part := range []any{t.slots, t.lines, t.rows, roots, t.wants, t.needs} {
		data, err := binary.Append(nil, binary.LittleEndian, part)
		if err != nil {
			panic(err)
		}
		h.Write(data)
	}
	fmt.Fprint(h, t.plain)
	return fmt.Sprintf("slots %d, lines %d, rows %d, classes %d, %x", len(t.slots), len(t.lines), len(t.rows), len(t.classes), h.Sum(nil)[:6])
}

// formKinds are configurations that plan differently.
var formKinds = []struct {
	name string
	cfg  Config
}{
	{"default", Config{}},
	{"leaves of one", Config{LeafRows: 1}},
	{"leaves of 40, all rules", Config{LeafRows: 40, KeepHidden: true}},
	{"few copies", Config{Replication: 0.2}},
	{"many copies", Config{Replication: 30, LeafRows: 2}},
	{"small buckets", Config{bucketRows: 12}},
	{"live", Config{Live: true}},
}

func TestRulesAreCompiledToTheFormsTheyHad(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the forms are those of amd64: elsewhere costs may be rounded otherwise, and plans differ")
	}
	var got strings.Builder
	tell := func(text string, name ...any) { fmt.Fprintf(&got, "%s: %s\n", fmt.Sprint(name...), text) }
	all := func(name string, s *rules.Schema, conds [][]rules.Cond) {
		for _, k := range formKinds {
			tree, root := compile(t, s, conds, k.cfg)
			tell(formOf(tree, root), name, ", ", len(conds), " rules, ", k.name)
			if len(conds) < 200 {
				continue
			}
			forked := k.cfg // as large sets are, whatever the number of goroutines
			forked.parallelRows, forked.forkRows, forked.taskRows = 100, 60, 20
			tree, root = compile(t, s, conds, forked)
			want := formOf(tree, root)
			tell(want, name, ", ", len(conds), " rules, ", k.name, ", in parts")
			forked.Workers = 3
			tree, root = compile(t, s, conds, forked)
			require.Equal(t, want, formOf(tree, root), "side by side: %s, %s", name, k.name)
		}
	}
	for _, family := range []string{"acl1", "acl2", "fw1", "fw4", "ipc1", "ipc2"} {
		for _, n := range []int{30, 250, 1200} {
			l, err := workload.Generate(workload.Config{Family: family, Rules: n, Seed: 5})
			require.NoError(t, err)
			var conds [][]rules.Cond
			for _, r := range l.All() {
				conds = append(conds, r.Conds)
			}
			all(family, l.Schema(), conds)
		}
	}
	for _, h := range measured {
		all(h.name, h.schema, h.make(260))
	}
	r := rand.New(rand.NewPCG(21, 1))
	for _, fields := range []int{1, 2, 7, 16} {
		s := schemaOf(r, fields)
		all(fmt.Sprint("mixed rules of ", fields, " fields"), s, mixedRules(r, s, 200, 0.1))
	}
	all("mixed rules of a firewall", rules.Firewall, mixedRules(r, rules.Firewall, 300, 0.2))
	for _, kind := range formKinds {
		for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple} {
			tell(edits(t, s, kind.cfg), "edits of ", s.Len(), " fields of ", s.KeyLen(), " words, ", kind.name)
		}
	}
	const file = "testdata/forms.txt"
	if *updateForms {
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}

// edits makes edits of a live tree, and returns the form that it has in the end.
func edits(t *testing.T, s *rules.Schema, cfg Config) string {
	r := rand.New(rand.NewPCG(8, uint64(s.KeyLen())))
	p := newRuleSource(r, s, 40, true)
	var list [][]rules.Cond
	for range 400 {
		list = append(list, p.rule())
	}
	cfg.Plain = s == rules.IPv4Tuple
	e := newEdited(t, s, list, cfg, nil)
	var forms strings.Builder
	for step := range 240 {
		if r.IntN(2) == 0 {
			e.delete(e.labels[r.IntN(len(e.labels))])
		} else if label := uint32(r.IntN(410<<12)) + 1; e.conds[label] == nil {
			e.insert(label, p.rule())
		}
		switch step % 60 {
		case 19:
			e.root = e.ed.Compact([]Ref{e.root}, step > 100)[0]
		case 39:
			e.root = e.ed.CompactTables([]Ref{e.root})[0]
		}
		forms.WriteString(formOf(e.ed.Tree(e), e.root))
	}
	h := sha256.Sum256([]byte(forms.String()))
	return fmt.Sprintf("%s, on the way %x, built %d times", formOf(e.ed.Tree(e), e.root), h[:6], 1+e.rebuilt)
}

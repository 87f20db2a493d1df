package hipac_test

// Tables in files: loaded beside their source, they evaluate packets as before.

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// saveTables returns the bytes of compiled tables.
func saveTables(t testing.TB, tables []*rules.Table) []byte {
	t.Helper()
	c, err := hipac.BuildTables(ctx, tables, nil)
	require.NoError(t, err)
	w := saved.NewWriter(saved.KindTables)
	require.NoError(t, c.AddTo(w))
	var out bytes.Buffer
	_, err = w.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

// loadTables loads tables from a file.
func loadTables(file []byte, tables []*rules.Table) (*hipac.Tables, error) {
	f, err := saved.Parse(file)
	if err != nil {
		return nil, err
	}
	return hipac.LoadTables(f, tables)
}

// randomTables are tables with tests and targets.
func randomTables(seed uint64) (list []*rules.Table, key func() rules.Key) {
	r := rand.New(rand.NewPCG(seed, 21))
	pool := pools(r, marked)
	for _, name := range []string{"one", "two"} {
		table := randomTable(r, marked, 1+r.IntN(8), 1+r.IntN(12), pool)
		table.Name, table.Family = name, 0
		extend(r, table)
		list = append(list, table)
	}
	return list, func() rules.Key {
		k := marked.NewKey()
		randomKey(r, marked, pool, k)
		marked.Set(k, 3, rules.U64(uint64(r.IntN(3)/2)))
		return k
	}
}

func TestLoadedTablesEvaluateAsTheirSource(t *testing.T) {
	for seed := range uint64(60) {
		tables, key := randomTables(seed)
		file := saveTables(t, tables)
		require.Equal(t, file, saveTables(t, tables))
		built, err := hipac.BuildTables(ctx, tables, nil)
		require.NoError(t, err)
		loaded, err := loadTables(file, tables)
		require.NoError(t, err)
		for _, table := range tables {
			c := loaded.Table(table)
			for range 60 {
				k := key()
				var want, got []rules.Place
				one, two := &subject{key: append(rules.Key{}, k...)}, &subject{key: append(rules.Key{}, k...)}
				w := table.Run(one, 0, func(p rules.Place) { want = append(want, p) })
				g := c.Run(two, 0, func(p rules.Place) { got = append(got, p) })
				require.Equal(t, w, g, "seed %d key %v", seed, k)
				require.Equal(t, want, got, "seed %d key %v", seed, k)
				require.Equal(t, one, two, "seed %d key %v", seed, k)
			}
			a, b := built.Table(table).Stats(), c.Stats()
			a.Memory, b.Memory, a.TreeBytes, b.TreeBytes = hipac.Memory{}, hipac.Memory{}, 0, 0
			require.Equal(t, a, b)
		}
		one, err := loadTables(file, tables[1:])
		require.NoError(t, err)
		require.Len(t, one.All(), 1)
	}
}

func TestTablesOfOtherRulesAreRefused(t *testing.T) {
	tables := filterOf(t, "FORWARD -s 10.0.0.1 -j a", "a -p tcp --dport 1:5 -j DROP")
	file := saveTables(t, tables)
	_, err := loadTables(file, filterOf(t, "FORWARD -s 10.0.0.1 -j a", "a -p tcp --dport 1:5 -j DROP"))
	require.NoError(t, err)
	for _, lines := range [][]string{
		{"FORWARD -s 10.0.0.1 -j a", "a -p tcp --dport 1:6 -j DROP"},
		{"FORWARD -s 10.0.0.1 -j a", "a -p tcp --dport 1:5 -j ACCEPT"},
		{"FORWARD -s 10.0.0.1 -j a"},
		{"FORWARD -s 10.0.0.1 -g a", "a -p tcp --dport 1:5 -j DROP"},
	} {
		_, err := loadTables(file, filterOf(t, lines...))
		require.ErrorIs(t, err, saved.ErrOther, "%v", lines)
	}
	renamed := *tables[0]
	renamed.Name = "other"
	_, err = loadTables(file, []*rules.Table{&renamed})
	require.ErrorIs(t, err, saved.ErrOther)
	_, err = hipac.LoadBytes(file, text, nil)
	require.ErrorIs(t, err, saved.ErrOther)
	c, err := hipac.Build(ctx, generated(t, "acl1", 5), nil)
	require.NoError(t, err)
	_, err = loadTables(save(t, c, text), tables)
	require.ErrorIs(t, err, saved.ErrOther)
	index, err := hipac.BuildTables(ctx, tables, &hipac.Options{Engine: hipac.Index})
	require.NoError(t, err)
	require.ErrorIs(t, index.AddTo(saved.NewWriter(saved.KindTables)), rules.ErrUnsupported)
}

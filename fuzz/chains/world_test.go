package chains

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/rules"
)

func TestEveryWayIsRightForEverySmallTable(t *testing.T) {
	all := All()[1:]
	for _, w := range Worlds(0) {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			r, err := w.Run(context.Background(), all, 0, w.Tables())
			require.NoError(t, err)
			require.Equal(t, w.Tables(), r.Tables)
			require.Equal(t, (w.Tables()-r.Refused)*w.Packets()*len(w.Policies), r.Packets)
			require.GreaterOrEqual(t, r.Comparisons, 2*r.Packets*len(all))
			require.Greater(t, r.Decided, r.Packets/30)
			t.Logf("%+v", r)
		})
	}
}

func TestAWorldHasEveryTableOnce(t *testing.T) {
	for _, w := range Worlds(0)[2:4] {
		seen := map[string]bool{}
		for i := range w.Tables() {
			table, err := w.Table(i)
			require.NoError(t, err)
			text := describe(table)
			require.False(t, seen[text], text)
			seen[text] = true
		}
	}
}

func TestWorldsHaveAsManyTablesAsTheySay(t *testing.T) {
	for size, want := range []int{23344, 1284062} {
		tables := 0
		for _, w := range Worlds(size) {
			tables += w.Tables()
		}
		require.Equal(t, want, tables)
	}
}

// faults are those that a compiler of chains could have.
var faults = map[string]func(t *rules.Table, chain int, r *rules.Rule[rules.Action]){
	"a goto comes back": func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
		if r.Value.Kind == rules.Goto {
			r.Value.Kind = rules.Jump
		}
	},
	"a jump does not come back": func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
		if r.Value.Kind == rules.Jump {
			r.Value.Kind = rules.Goto
		}
	},
	"a return of a called chain counts only": func(_ *rules.Table, chain int, r *rules.Rule[rules.Action]) {
		if r.Value.Kind == rules.Return && chain > 0 {
			r.Value.Kind = rules.Pass
		}
	},
	"conditions of jumps are not asked": func(_ *rules.Table, _ int, r *rules.Rule[rules.Action]) {
		if r.Value.Kind == rules.Jump {
			r.Conds = nil
		}
	},
	"jumps lead to the last chain": func(t *rules.Table, chain int, r *rules.Rule[rules.Action]) {
		if last := len(t.Chains) - 1; r.Value.Kind == rules.Jump && chain < last {
			r.Value.Chain = last
		}
	},
}

func TestAWrongWayIsFoundOutInEveryWorldThatHasWhatItDoesWrong(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			worlds := Worlds(0)
			if name == "jumps lead to the last chain" {
				worlds = worlds[:2]
			} else {
				worlds = append(worlds[:2], worlds[3:]...) // gotos without a return behind them are as good as jumps
			}
			for _, w := range worlds {
				_, err := w.Run(context.Background(), []Way{Altered(All()[1], fault)}, 0, w.Tables())
				var d *compare.Difference
				require.ErrorAs(t, err, &d, w.Name)
			}
		})
	}
	for _, way := range All()[1:] {
		w := Worlds(0)[1]
		_, err := w.Run(context.Background(), []Way{Forgetful(1000)(way)}, 0, w.Tables())
		var d *compare.Difference
		require.ErrorAs(t, err, &d, way.Name)
	}
}

func TestACounterThatIsWrongIsFoundOut(t *testing.T) {
	wrong := Way{"miscounting", func(t *rules.Table) (*Answerer, error) {
		a, err := counted(t)
		if err != nil {
			return nil, err
		}
		counts := a.Counts
		a.Counts = func() map[rules.Place]uint64 {
			c := counts()
			for at := range c {
				c[at]++
				break
			}
			return c
		}
		return a, nil
	}}
	w := Worlds(0)[1]
	_, err := w.Run(context.Background(), []Way{wrong}, 0, w.Tables())
	require.ErrorContains(t, err, "counters")
}

func TestAWayThatTakesATableWithALoopIsFoundOut(t *testing.T) {
	w := Worlds(0)[2]
	_, err := w.Run(context.Background(), []Way{{"careless", func(t *rules.Table) (*Answerer, error) { return &Answerer{Run: t.Run}, nil }}}, 0, w.Tables())
	require.ErrorContains(t, err, "refused")
	require.ErrorContains(t, err, "loop")
}

func TestARunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := Worlds(1)[0].Run(ctx, nil, 0, 10)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, r)
}

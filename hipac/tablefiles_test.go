package hipac_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
)

// filterOf reads a filter table with these rules.
func filterOf(t *testing.T, lines ...string) []*rules.Table {
	t.Helper()
	text := "*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n:a -\n:b -\n"
	for _, l := range lines {
		text += "-A " + l + "\n"
	}
	set, err := iptables.Read(strings.NewReader(text+"COMMIT\n"), iptables.Options{})
	require.NoError(t, err)
	return set.Tables
}

func TestLoopsAreFoundAfterPoliciesWereTakenBack(t *testing.T) {
	ctx := context.Background()
	jump := func(from, to *hipac.ChainEdit) error {
		_, err := from.Append(rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: to.Number()}})
		return err
	}
	live, err := hipac.NewLiveTables(ctx, filterOf(t), nil)
	require.NoError(t, err)
	// Packets enter at another chain for as long as a dry run takes.
	_, err = live.DryRun(ctx, func(tx *hipac.TablesTx) error {
		f, err := tx.Table("filter", 4)
		require.NoError(t, err)
		for name, p := range map[string]rules.Verdict{"INPUT": rules.NoVerdict, "OUTPUT": rules.NoVerdict, "FORWARD": rules.NoVerdict} {
			c, err := f.Chain(name)
			require.NoError(t, err)
			require.NoError(t, c.SetPolicy(p))
		}
		a, err := f.Chain("a")
		require.NoError(t, err)
		return a.SetPolicy(rules.Drop)
	})
	require.NoError(t, err)
	err = live.Edit(ctx, func(tx *hipac.TablesTx) error {
		f, err := tx.Table("filter", 4)
		require.NoError(t, err)
		forward, err := f.Chain("FORWARD")
		require.NoError(t, err)
		b, err := f.Chain("b")
		require.NoError(t, err)
		require.NoError(t, jump(forward, b))
		return jump(b, forward)
	})
	require.ErrorIs(t, err, hipac.ErrLoop)
}

func TestRulesOfSeveralFilesAreNumberedAsTheyStand(t *testing.T) {
	ctx := context.Background()
	r, x, y, z := "FORWARD -s 10.0.0.1 -j ACCEPT", "FORWARD -s 10.0.0.2 -j DROP", "FORWARD -s 10.0.0.3 -j DROP", "FORWARD -s 10.0.0.4 -j ACCEPT"
	live, err := hipac.NewLiveTables(ctx, filterOf(t, r, z), nil)
	require.NoError(t, err)
	for _, lines := range [][]string{{r, x, z}, {x, y, z}} {
		_, err := live.Apply(ctx, filterOf(t, lines...))
		require.NoError(t, err)
	}
	source := live.Snapshot().Table("filter", 4).Source()
	for i, rule := range source.Chains[source.Find("FORWARD")].Rules.All() {
		require.Equal(t, i+1, rule.Value.Number)
	}
}

func TestATableOfAnotherSchemaGivesNoIdentityAgain(t *testing.T) {
	ctx := context.Background()
	one, two := "FORWARD -s 10.0.0.1 -j DROP", "FORWARD -s 10.0.0.2 -j DROP"
	live, err := hipac.NewLiveTables(ctx, filterOf(t, one, two), nil)
	require.NoError(t, err)
	for _, lines := range [][]string{{one}, {one, "OUTPUT -m ttl --ttl-eq 3 -j DROP"}} {
		_, err := live.Apply(ctx, filterOf(t, lines...))
		require.NoError(t, err)
	}
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
		f, err := tx.Table("filter", 4)
		require.NoError(t, err)
		c, err := f.Chain("FORWARD")
		require.NoError(t, err)
		id, err := c.Append(rules.Rule[rules.Action]{Continue: true})
		require.Equal(t, rules.ID(3), id)
		return err
	}))
}

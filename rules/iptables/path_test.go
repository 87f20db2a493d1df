package iptables

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPathsAreInTheOrderOfTheKernel(t *testing.T) {
	all, err := Read(strings.NewReader("*filter\nCOMMIT\n*nat\nCOMMIT\n*raw\nCOMMIT\n*security\nCOMMIT\n*mangle\nCOMMIT\n"), Options{})
	require.NoError(t, err)
	one, err := Read(strings.NewReader("*filter\nCOMMIT\n"), Options{})
	require.NoError(t, err)
	for _, tt := range []struct {
		rs        *Ruleset
		way, want string
	}{
		{all, "input", "raw/PREROUTING mangle/PREROUTING nat/PREROUTING mangle/INPUT filter/INPUT security/INPUT nat/INPUT"},
		{all, "forward", "raw/PREROUTING mangle/PREROUTING nat/PREROUTING mangle/FORWARD filter/FORWARD security/FORWARD mangle/POSTROUTING nat/POSTROUTING"},
		{all, "output", "raw/OUTPUT mangle/OUTPUT nat/OUTPUT filter/OUTPUT security/OUTPUT mangle/POSTROUTING nat/POSTROUTING"},
		{one, "forward", "filter/FORWARD"},
	} {
		path, err := tt.rs.Path(Hooks(tt.way)...)
		require.NoError(t, err)
		var got []string
		for _, stop := range path {
			got = append(got, stop.Table.Name+"/"+stop.Table.Chains[stop.Chain].Name)
		}
		require.Equal(t, tt.want, strings.Join(got, " "))
	}
	require.Nil(t, Hooks("sideways"))
	_, err = one.Path("LOOP")
	require.EqualError(t, err, "no hook LOOP: choose one of PREROUTING, INPUT, FORWARD, OUTPUT or POSTROUTING")
}

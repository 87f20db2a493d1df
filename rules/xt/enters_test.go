package xt

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestATraversalWithoutASchemaTakesThatOfTheTableItEnters(t *testing.T) {
	x := &Traversal{}
	require.False(t, x.Enters(&rules.Table{Name: "filter", Family: 4, Schema: rules.IPTuple}), "there is no packet")
	require.Same(t, rules.IPTuple, x.schema)
}

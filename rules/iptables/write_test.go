package iptables

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestTablesThatWereNotReadAreNotPrinted(t *testing.T) {
	rs, err := Read(strings.NewReader("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n"), Options{})
	require.NoError(t, err)
	other := *rs.Tables[0]
	for _, set := range []*Ruleset{
		{Family: 4, Tables: rs.Tables},
		{Family: 4, Tables: []*rules.Table{&other}, lines: rs.lines, read: rs.read},
	} {
		require.ErrorContains(t, Write(io.Discard, set, false), "only rules that were read can be printed")
		require.ErrorContains(t, WriteJSON(io.Discard, set, false), "only rules that were read can be printed")
		text, _ := set.Rule("filter", "INPUT", 1)
		require.Empty(t, text)
	}
}

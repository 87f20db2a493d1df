package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersHaveFactors(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1000": 1000, "010": 10, "1_000_000": 1_000_000, "10k": 10_000, "10K": 10_000, "1M": 1_000_000, "2.5M": 2_500_000, "0.001k": 1,
		"3G": 3_000_000_000, "-5": -5, "-1k": -1000, "9223372036854775807": 1<<63 - 1, "1.0": 1,
	} {
		n, err := parseNumber(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "k", "1.5", "1.0001k", "1kk", "1 k", "1e3", "0x10", "ten", "+5", "--5", "1.", ".5", "_1", "1_", "1m", "1/2", "1k5", "NaN"} {
		_, err := parseNumber(text)
		require.EqualError(t, err, `"`+text+`" is no whole number; 1000, 10k and 1M are`)
	}
	for _, text := range []string{"9223372036854775808", "9999999999G", "1000000000000000000000000000000000000000000000000"} {
		_, err := parseNumber(text)
		require.EqualError(t, err, `"`+text+`" is too large a number`)
	}
}

func TestAllCommandsTakeNumbersWithFactors(t *testing.T) {
	same := func(a, b []string) {
		t.Helper()
		one, two := invoke(t, "", a...), invoke(t, "", b...)
		require.Zero(t, one.code, one.stderr)
		require.Equal(t, one, two)
	}
	same([]string{"gen", "rules", "--family", "fw1", "--rules", "1k", "--out", "-"}, []string{"gen", "rules", "--family", "fw1", "--rules", "1000", "--out", "-"})
	same([]string{"gen", "connections", "--profile", "ntp", "--count", "0.1k", "--out", "-"}, []string{"gen", "connections", "--profile", "ntp", "--count", "100", "--out", "-"})
	r := invoke(t, "", "compare", "--family", "fw1", "--rules", "1k,9M")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "--rules 9000000: not in 1..4194304", "in lists too")
	r = invoke(t, "", "compare", "--family", "fw1", "--rules", "1k,many")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, `--rules: "many" is no whole number`)
}

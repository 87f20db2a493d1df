package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestColoursAreForTerminalsUnlessRefused(t *testing.T) {
	for _, tt := range []struct {
		flag     string
		terminal bool
		env      map[string]string
		want     bool
	}{
		{"auto", true, nil, true},
		{"auto", false, nil, false},
		{"auto", true, map[string]string{"NO_COLOR": "1"}, false},
		{"auto", true, map[string]string{"NO_COLOR": ""}, true},
		{"auto", true, map[string]string{"TERM": "dumb"}, false},
		{"always", false, map[string]string{"NO_COLOR": "1"}, true},
		{"never", true, nil, false},
	} {
		var stdout, stderr bytes.Buffer
		a := testApp(t.Context(), nil, &stdout, &stderr)
		a.isTerminal = func(w any) bool { return tt.terminal && w == any(&stdout) }
		a.env = func(name string) string { return tt.env[name] }
		require.Equal(t, exitOK, a.run([]string{"--color", tt.flag}))
		require.Equal(t, tt.want, bytes.Contains(stdout.Bytes(), []byte("\x1b[32mACCEPT")), "%+v", tt)
	}
}

func TestProgressIsForTerminalsOnly(t *testing.T) {
	rules, packets := randomSet(3, 10, 20000)
	run := func(stdoutTTY, stderrTTY bool, args ...string) string {
		var stdout, stderr bytes.Buffer
		a := testApp(t.Context(), nil, &stdout, &stderr)
		a.isTerminal = func(w any) bool { return w == any(&stderr) && stderrTTY || w == any(&stdout) && stdoutTTY }
		code := a.run(append(args, "--rules", file(t, "r", rules), "--packets", file(t, "p", packets)))
		require.Equal(t, exitOK, code)
		require.NotContains(t, stdout.String(), "\r")
		return stderr.String()
	}
	require.Contains(t, run(true, true), " packets ")
	require.Contains(t, run(false, true, "--output", "id"), " packets ")
	require.Empty(t, run(true, true, "--output", "id"), "the bar would get among the lines")
	require.Empty(t, run(true, false))
	require.Empty(t, run(false, false))
}

func TestLongTextIsCutToTheTerminal(t *testing.T) {
	require.Equal(t, "abcdef", cut("abcdef", 0))
	require.Equal(t, "abcdef", cut("abcdef", 6))
	require.Equal(t, "abcd…", cut("abcdef", 5))
}

func TestDurationsHaveThreeDigits(t *testing.T) {
	for n, want := range map[int64]string{0: "0s", 7: "7ns", 999: "999ns", 1234: "1.23µs", 123456789: "123ms", 61234567890: "1m1.2s"} {
		require.Equal(t, want, roundTime(durationOf(n)))
	}
}

func TestANarrowTerminalGetsShorterLines(t *testing.T) {
	table := func(columns int) string {
		r := textReport{columns: columns, timed: true}
		r.rows = []row{{"1", "0.000", strings.Repeat("p", 50), "ACCEPT", "FORWARD/1", "-j ACCEPT -m comment", decided}}
		var b bytes.Buffer
		out := bufio.NewWriter(&b)
		require.NoError(t, r.table(out))
		require.NoError(t, out.Flush())
		return strings.Split(b.String(), "\n")[1]
	}
	p := strings.Repeat("p", 50)
	require.Equal(t, "1  0.000  "+p+"  ACCEPT   FORWARD/1  -j ACCEPT -m comment", table(0))
	require.Equal(t, "1  0.000  "+p+"  ACCEPT   FORWARD/1  -j ACCEPT -m…", table(95))
	require.Equal(t, "1  0.000  "+p+"  ACCEPT   FORWARD/1", table(90))
	require.Equal(t, "1  "+p+"  ACCEPT   FORWARD/1", table(75))
	require.Equal(t, "1  "+p[:46]+"…  ACCEPT   FORWARD/1", table(70))
	require.Equal(t, "1  "+p[:39]+"…  ACCEPT   FORWARD/1", table(20))
}

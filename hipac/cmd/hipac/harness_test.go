package main

// The harness of the tests: runs of the program with a clock that goes a
// millisecond a look, and golden files.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// result is what a run left.
type result struct {
	code           int
	stdout, stderr string
}

// testApp returns an app that writes to the two buffers.
func testApp(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) *app {
	clock := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	return &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr,
		env: func(string) string { return "" },
		now: func() time.Time {
			clock = clock.Add(time.Millisecond)
			return clock
		},
		isTerminal: func(any) bool { return false },
		hangups:    func() (<-chan os.Signal, func()) { return nil, func() {} },
	}
}

// invoke runs the program.
func invoke(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := testApp(t.Context(), strings.NewReader(stdin), &stdout, &stderr).run(args)
	return result{code, stdout.String(), stderr.String()}
}

// output runs the program, which must succeed without a complaint.
func output(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := invoke(t, stdin, args...)
	require.Equal(t, result{code: exitOK, stdout: r.stdout}, r)
	return r.stdout
}

// answer runs the program, which must end with the exit code and without a
// complaint.
func answer(t *testing.T, code int, stdin string, args ...string) string {
	t.Helper()
	r := invoke(t, stdin, args...)
	require.Equal(t, result{code: code, stdout: r.stdout}, r)
	return r.stdout
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// file writes a file and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

const nativeRules = `hipac 1
schema ipv4
rule src=10.0.0.0/8 dport=80,443 proto=tcp => ACCEPT  # the web
rule unknown "owner" src=10.9.0.0/16 => ACCEPT
rule dport!=22 => DROP
`

const classbenchRules = "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0200/0x0200\n" +
	"# a remark is no rule\n" +
	"@0.0.0.0/0\t192.0.2.0/24\t0 : 65535\t0 : 65535\t0x11/0xFF\t0x0000/0x0000\n"

const trace = "167772161 3221225985 1234 80 6 0 0\n" + // 10.0.0.1 > 192.0.2.1 tcp 80
	"167772161 3221225985 1234 22 6 0 0\n" +
	"168361985 3221225985 1234 22 6 0 0\n" + // 10.9.0.1
	"1 3221225985 1 53 17\n"

// randomSet returns a ClassBench rule set and a trace that meets it, with
// addresses and ports from small pools, so that rules overlap.
func randomSet(seed uint64, rules, packets int) (set, trace string) {
	r := rand.New(rand.NewPCG(seed, 1))
	addr := func() uint32 { return 0x0a000000 | r.Uint32N(8)<<16 | r.Uint32N(8)<<8 | r.Uint32N(8) }
	port := func() int { return []int{0, 22, 53, 80, 443, 1024, 8080, 65535}[r.IntN(8)] }
	proto := func() int { return []int{1, 6, 17}[r.IntN(3)] }
	dots := func(a uint32) string { return fmt.Sprintf("%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255) }
	prefix := func() string {
		n := []int{13, 16, 22, 24, 30, 32}[r.IntN(6)]
		return fmt.Sprintf("%s/%d", dots(addr()), n)
	}
	span := func() string {
		lo, hi := port(), port()
		if r.IntN(2) == 0 {
			lo, hi = 0, 65535
		}
		return fmt.Sprintf("%d : %d", min(lo, hi), max(lo, hi))
	}
	var a, b strings.Builder
	for range rules {
		p := fmt.Sprintf("0x%02x/0xFF", proto())
		if r.IntN(3) == 0 {
			p = "0x00/0x00"
		}
		fmt.Fprintf(&a, "@%s\t%s\t%s\t%s\t%s\n", prefix(), prefix(), span(), span(), p)
	}
	for range packets {
		fmt.Fprintf(&b, "%d\t%d\t%d\t%d\t%d\n", addr(), addr(), port(), port(), proto())
	}
	return a.String(), b.String()
}

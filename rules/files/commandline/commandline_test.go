package commandline

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
)

func TestErrorsBecomeExitCodesAndLines(t *testing.T) {
	_, unsupported := iptables.Read(bytes.NewBufferString("*filter\n-A INPUT -m nonesuch -j DROP\nCOMMIT\n"), iptables.Options{})
	require.Error(t, unsupported)
	for _, c := range []struct {
		args   []string
		err    error
		code   int
		stderr string
	}{
		{nil, nil, OK, ""},
		{nil, errors.New("no\x1bgood"), Data, "tool: no\\x1bgood\n"},
		{nil, errors.Join(errors.New("one"), errors.New("two")), Data, "tool: one\ntool: two\n"},
		{nil, files.BadUsage("not so"), Usage, "tool: not so\n"},
		{nil, fmt.Errorf("write: %w", syscall.EPIPE), OK, ""},
		{nil, Exit{Code: 7}, 7, ""},
		{nil, Exit{Code: 7, Err: errors.New("no\x1bgood")}, 7, "tool: no\\x1bgood\n"},
		{[]string{"--number", "x"}, nil, Usage, "tool: --number: expected a valid 64 bit int but got \"x\" (\"tool --help\" tells more)\n"},
		{[]string{"--number", "1", "--number=2"}, nil, Usage, "tool: --number is given twice\n"},
		{[]string{"--number", "1"}, nil, OK, ""},
		{[]string{"--letter"}, nil, Usage, "tool: unknown flag --letter (\"tool --help\" tells more)\n"},
	} {
		var out, complaints bytes.Buffer
		p := &Program{Name: "tool", Stdout: &out, Stderr: &complaints}
		require.Equal(t, c.code, p.Run(&failing{err: c.err}, c.args))
		require.Equal(t, c.stderr, complaints.String())
	}
	var complaints bytes.Buffer
	cleared := 0
	p := &Program{Name: "tool", Stderr: &complaints, Before: func() { cleared++ }}
	require.Equal(t, Data, p.Fail(unsupported))
	require.Contains(t, complaints.String(), "tool: --allow-unknown keeps such rules")
	require.Equal(t, 2, cleared)
}

type failing struct {
	Number int `help:"A number."`
	err    error
}

// Run returns the error.
func (f *failing) Run() error { return f.err }

func TestHelpIsPrintedAndNothingRun(t *testing.T) {
	var out bytes.Buffer
	p := &Program{Name: "tool", Description: "what it does", Stdout: &out}
	require.Equal(t, OK, p.Run(&failing{err: errors.New("it ran")}, []string{"--help"}))
	require.Contains(t, out.String(), "what it does")
	require.Contains(t, out.String(), "--number")
}

func TestAnUnknownCommandIsAnsweredWithTheCommands(t *testing.T) {
	var cli struct {
		Make struct {
			Rules failing `cmd:""`
			Flows failing `cmd:""`
		} `cmd:""`
		Look failing `cmd:""`
	}
	for arg, want := range map[string]string{
		"mack": "tool: there is no command \"mack\"; choose from make, look\n",
		"look": "tool: unexpected argument more (\"tool --help\" tells more)\n",
		"make": "tool: there is no command \"more\"; choose from rules, flows\n",
	} {
		var complaints bytes.Buffer
		p := &Program{Name: "tool", Stderr: &complaints}
		require.Equal(t, Usage, p.Run(&cli, []string{arg, "more"}))
		require.Equal(t, want, complaints.String())
	}
}

//go:build linux

package kernel

// This file: what tests ask of the namespace, its devices and its counters;
// what fails ends the test.

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// enterNamespace moves the test's goroutine to a new network namespace with a
// TUN device, or a TAP device, and returns the device's descriptor; see enter.
func enterNamespace(t *testing.T, tap bool, tools ...string) int {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "needs root to make a network namespace")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, "needs %s", tool)
		}
	}
	if err := enter(); err != nil {
		skip(t, "%v", err)
	}
	return openTUN(t, device, tap)
}

// openTUN makes a TUN device, or a TAP device, in the namespace and returns its
// descriptor.
func openTUN(t *testing.T, name string, tap bool) int {
	t.Helper()
	fd, err := makeTUN(name, tap)
	if err != nil {
		skip(t, "%v", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

// up brings a device up.
func up(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, bringUp(name))
}

// skip skips the test, or fails it where HIPAC_KERNEL=required says that the
// comparison must not be left out.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("HIPAC_KERNEL") == "required" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// run runs a program in the namespace and returns what it prints.
func run(t *testing.T, input string, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(input, name, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, input)
	}
	return out
}

// tryRun is run for a program that may fail.
func tryRun(input string, name string, args ...string) (string, error) {
	return runTool(context.Background(), input, name, args...)
}

// openTable is openCounters for a test.
func openTable(t *testing.T, family int, name string) *kernelTable {
	t.Helper()
	k, err := openCounters(family, name)
	require.NoError(t, err)
	t.Cleanup(k.close)
	return k
}

// find returns the index of the named chain, or -1.
func (k *kernelTable) find(name string) int {
	for i := range k.chains {
		if k.chains[i].name == name {
			return i
		}
	}
	return -1
}

// read is counts for a test.
func (k *kernelTable) read(t *testing.T, into [][]count) [][]count {
	t.Helper()
	into, err := k.counts(into)
	require.NoError(t, err)
	return into
}

//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPipeInPlaceOfTheRulesIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	rules, pipe := filepath.Join(dir, "r"), filepath.Join(dir, "pipe")
	put(t, rules, "hipac 1\nschema ipv4\nrule any => A\n")
	w := watch(t, rules, "--output", "id")
	require.Equal(t, "1", w.answer(web))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Rename(pipe, rules))
	w.says("hipac: " + rules + ": is no regular file\n")
	require.Equal(t, "1", w.answer(web))
	require.NoError(t, os.Remove(rules))
	put(t, rules, "hipac 1\nschema ipv4\nrule dport=25 => B\nrule any => A\n")
	w.becomes(web, "2")
	w.end()
}

//go:build unix

package compare

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// longBuild is a go command that has others at work, one of which it names, and
// does not end.
const longBuild = `#!/bin/sh
sleep 600 &
echo $! > "$GOTMPDIR/at-work~"
mv "$GOTMPDIR/at-work~" "$GOTMPDIR/at-work"
wait
`

func TestABuildThatIsEndedLeavesNothingAtWork(t *testing.T) {
	source, out, path := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(source, "go.mod"), []byte("module peers\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(path, "go"), []byte(longBuild), 0o755))
	t.Setenv("PATH", path+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, end := range []func(context.CancelCauseFunc){
		func(cancel context.CancelCauseFunc) { cancel(errors.New("enough")) },
		func(context.CancelCauseFunc) { KillAll() },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		built := make(chan error)
		go func() {
			_, err := BuildPeers(ctx, source, out)
			built <- err
		}()
		var pid int
		require.Eventually(t, func() bool {
			text, err := os.ReadFile(filepath.Join(out, "at-work"))
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
			return err == nil
		}, 30*time.Second, time.Millisecond)
		require.NoError(t, os.Remove(filepath.Join(out, "at-work")))
		end(cancel)
		// With DPDK there the build without it begins when the one with it was killed.
		require.Eventually(t, func() bool {
			line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
			return syscall.Kill(pid, 0) == syscall.ESRCH || err == nil && len(line) == 0
		}, 30*time.Second, time.Millisecond)
		cancel(errors.New("enough"))
		require.ErrorAs(t, <-built, new(*SkipError))
		os.Remove(filepath.Join(out, "at-work"))
	}
}

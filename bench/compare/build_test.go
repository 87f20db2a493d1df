package compare

// Where there can be no peers: reasons that a person can act on.

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"context"

	"github.com/stretchr/testify/require"
)

func TestPeersAreFoundAboveAFolder(t *testing.T) {
	root := t.TempDir()
	peers := filepath.Join(root, "bench", "peers")
	require.NoError(t, os.MkdirAll(peers, 0o755))
	_, err := FindPeers(root)
	require.ErrorAs(t, err, new(*SkipError))
	require.NoError(t, os.WriteFile(filepath.Join(peers, "go.mod"), []byte("module peers\ngo 1.26\n"), 0o644))
	for _, from := range []string{root, peers, filepath.Join(root, "bench")} {
		got, err := FindPeers(from)
		require.NoError(t, err)
		require.Equal(t, peers, got)
	}
}

func TestPeersThatCannotBeBuiltAreSkippedWithAReason(t *testing.T) {
	dir := t.TempDir()
	says := func(text string) {
		t.Helper()
		_, err := BuildPeers(t.Context(), dir, t.TempDir())
		var skip *SkipError
		require.ErrorAs(t, err, &skip)
		require.ErrorContains(t, err, text)
	}
	says("is not the source of the peers")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module peers\n\ngo 1.26\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { nothing() }\n"), 0o644))
	says("undefined: nothing")

	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err := BuildPeers(ctx, dir, t.TempDir())
	require.ErrorContains(t, err, "took too long: context deadline exceeded")

	t.Setenv("PATH", "")
	says("the go command, which builds them, is not installed")
}

func TestPeersAreBuilt(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module peers\n\ngo 1.26\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o644))
	p, err := BuildPeers(t.Context(), dir, out)
	require.NoError(t, err)
	require.FileExists(t, p.Path)
	_, err = Start(t.Context(), p.Path)
	require.ErrorIs(t, err, ErrCrashed)
}

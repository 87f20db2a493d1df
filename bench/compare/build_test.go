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

func TestPeersFollowTheVersionsOfTheMainModule(t *testing.T) {
	root, out := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"go.mod":             "module example.com/main\n\ngo 1.26\n\nrequire example.com/a v0.2.0\n",
		"main.go":            "package main\n",
		"a/go.mod":           "module example.com/a\n\ngo 1.26\n",
		"a/a.go":             "package a\n",
		"bench/peers/go.mod": "module example.com/peers\n\ngo 1.26\n\nrequire (\n\texample.com/a v0.1.0\n\texample.com/main v0.0.0\n)\n\nreplace example.com/main => ../..\n\nreplace example.com/a => ../../a\n",
		"bench/peers/p.go":   "package main\n\nimport _ \"example.com/a\"\n\nfunc main() {}\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	source, err := FindPeers(root)
	require.NoError(t, err)
	p, err := BuildPeers(t.Context(), source, out)
	require.NoError(t, err)
	require.FileExists(t, p.Path)
	left, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Len(t, left, 1)
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	require.NoError(t, err)
	require.Contains(t, string(mod), "example.com/a v0.1.0") // the source stays as it is
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

func TestEnginesThatAreNotThereGetTheReasonThatIsKnown(t *testing.T) {
	p := &Program{makers: []About{{Name: "dpdk-acl-single", Skip: "no library"}, {Name: "dpdk-acl-avx2"}, {Name: "tailscale", Skip: "none"}}}
	p.Explain("dpdk-", "")
	require.Equal(t, "no library", p.makers[0].Skip)
	p.Explain("dpdk-", "pkg-config is not installed")
	require.Equal(t, []string{"pkg-config is not installed", "", "none"}, []string{p.makers[0].Skip, p.makers[1].Skip, p.makers[2].Skip})
}

package compare

// The program of the peers: found in the folder bench/peers of the project's
// source, and built with the go command, since it is a module of its own.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// PeersDir is the folder of the peers' module in the project's source.
const PeersDir = "bench/peers"

// dpdkTag is the build tag of the peers that need DPDK's libraries.
const dpdkTag = "dpdk"

// SkipError says why there are no peers on this machine.
type SkipError struct{ Why string }

func (e *SkipError) Error() string { return "no peers of other projects: " + e.Why }

// Peers is a program of peers that was built.
type Peers struct {
	Path string // of the program
	// NoDPDK says why the peers of DPDK are not in it; "" when they are.
	NoDPDK string
}

// FindPeers returns the folder of the peers' module: bench/peers in dir or in the
// nearest folder above it that has one. dir "" is the current folder.
func FindPeers(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		peers := filepath.Join(at, filepath.FromSlash(PeersDir))
		if _, err := os.Stat(filepath.Join(peers, "go.mod")); err == nil {
			return peers, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", &SkipError{fmt.Sprintf("there is no folder %s in %s or above; run from the project's source", PeersDir, shown(dir))}
		}
		at = up
	}
}

func shown(dir string) string {
	if dir == "" {
		return "the current folder"
	}
	return dir
}

// BuildPeers builds the program of peers from the source in the folder, as
// FindPeers returns it, into the folder out. That may take minutes the first
// time, when modules are downloaded; the context bounds it. With libdpdk
// installed, as pkg-config tells, DPDK's library is among them. When there can be
// no peers the error is a *SkipError.
func BuildPeers(ctx context.Context, source, out string) (*Peers, error) {
	if _, err := os.Stat(filepath.Join(source, "go.mod")); err != nil {
		return nil, &SkipError{fmt.Sprintf("%s is not the source of the peers: %v", source, err)}
	}
	command, err := exec.LookPath("go")
	if err != nil {
		return nil, &SkipError{"the go command, which builds them, is not installed"}
	}
	path, err := filepath.Abs(filepath.Join(out, "peers"))
	if err != nil {
		return nil, err
	}
	p := &Peers{Path: path, NoDPDK: noDPDK(ctx)}
	if p.NoDPDK == "" {
		err := goBuild(ctx, command, source, path, true)
		if err == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		// The library is there, and of no use: the others need not do without.
		p.NoDPDK = err.Error()
	}
	if err := goBuild(ctx, command, source, path, false); err != nil {
		return nil, err
	}
	return p, nil
}

// combinedOutput is the method of a command that KillAll knows of.
func combinedOutput(c *exec.Cmd) ([]byte, error) {
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		return nil, err
	}
	running.Store(c, nil)
	defer running.Delete(c)
	err := c.Wait()
	return said.Bytes(), err
}

// noDPDK says why DPDK cannot be linked, or "".
func noDPDK(ctx context.Context) string {
	config, err := exec.LookPath("pkg-config")
	if err != nil {
		return "pkg-config, which finds libdpdk, is not installed"
	}
	if err := exec.CommandContext(ctx, config, "--exists", "libdpdk").Run(); err != nil {
		return "libdpdk is not installed (Debian: apt-get install libdpdk-dev)"
	}
	return ""
}

// goBuild builds with a copy of go.mod beside the program, which may change: the
// peers' module follows the main one's versions without an edit of the source.
func goBuild(ctx context.Context, command, source, path string, dpdk bool) error {
	for _, ext := range []string{".mod", ".sum"} {
		b, err := os.ReadFile(filepath.Join(source, "go"+ext))
		if err == nil {
			err = os.WriteFile(path+ext, b, 0o644)
		}
		if err != nil && !(ext == ".sum" && errors.Is(err, os.ErrNotExist)) {
			return err
		}
		defer os.Remove(path + ext)
	}
	args := []string{"build", "-mod=mod", "-modfile=" + path + ".mod", "-o", path}
	if dpdk {
		args = append(args, "-tags", dpdkTag)
	}
	c := exec.CommandContext(ctx, command, append(args, ".")...)
	c.Dir = source
	// What it has in work goes with the folder of the program.
	c.Env = append(os.Environ(), "GOTMPDIR="+filepath.Dir(path))
	if dpdk {
		c.Env = append(c.Env, "CGO_ENABLED=1")
	}
	apart(c)
	c.Cancel = func() error { return killGroup(c) }
	c.WaitDelay = 5 * time.Second
	said, err := combinedOutput(c)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &SkipError{fmt.Sprintf("building them took too long: %v", context.Cause(ctx))}
	case ctx.Err() != nil:
		return &SkipError{fmt.Sprintf("building them was ended: %v", context.Cause(ctx))}
	case errors.As(err, new(*exec.ExitError)):
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		return &SkipError{"they cannot be built: " + cut(strings.Join(lines[max(0, len(lines)-3):], "; "))}
	}
	return &SkipError{fmt.Sprintf("they cannot be built: %v", err)}
}

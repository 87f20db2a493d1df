package main

// The machine and the commit that figures are of.

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	results "github.com/hipac-go/classifier/bench/result"
)

// modulePath is the project's module, in whose source a commit is looked for.
const modulePath = "github.com/hipac-go/classifier"

// thisMachine describes the machine, as far as the system tells.
func thisMachine() results.Machine {
	m := results.Machine{CPU: cpuName(), Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Go: runtime.Version(),
		Commit: commit(), Started: time.Now().UTC().Format(time.RFC3339)}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + strings.TrimSpace(string(b))
	}
	if kB, err := strconv.ParseInt(strings.TrimSuffix(procLine("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kB << 10
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(b), " ")
		if load, err := strconv.ParseFloat(first, 64); err == nil {
			m.Load = &load
		}
	}
	return m
}

// cpuName returns the processor's name, or else its architecture.
func cpuName() string {
	if name := procLine("/proc/cpuinfo", "model name"); name != "" {
		return name
	}
	return runtime.GOARCH
}

// procLine returns the value of the first line "key: value" of a file, "" when
// there is none.
func procLine(path, key string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		if k, v, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// commit returns the commit that the program was built from, "+" behind it when
// files were changed: from the program itself or, since "go run" leaves it out,
// from the source around the current folder. It is "" when neither tells.
func commit() string {
	revision, modified := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				modified = s.Value
			}
		}
	}
	if revision != "" {
		if modified == "true" {
			revision += "+"
		}
		return revision
	}
	dir := sourceDir()
	if dir == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	revision = strings.TrimSpace(string(out))
	if out, err := exec.CommandContext(ctx, "git", "-C", dir, "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(out) > 0 {
		revision += "+"
	}
	return revision
}

// sourceDir returns the folder of the project's source that the current folder
// is in, or "".
func sourceDir() string {
	at, err := os.Getwd()
	for err == nil {
		if b, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil && bytes.HasPrefix(b, []byte("module "+modulePath+"\n")) {
			return at
		}
		up := filepath.Dir(at)
		if up == at {
			break
		}
		at = up
	}
	return ""
}

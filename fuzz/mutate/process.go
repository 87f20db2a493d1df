package main

// Processes with limits: an endless loop and a request for all the memory are
// ways in which a mutant is caught.

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// limits bound a process. Zero is no limit.
type limits struct {
	timeout time.Duration
	memory  uint64 // bytes of address space, where the system can bound it
}

// outcome is how a process ended.
type outcome struct {
	output            string // the beginning of what it wrote
	failed            bool
	timedOut, tooMuch bool
}

// head keeps the first bytes that are written to it.
type head struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const headBytes = 1 << 20

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Write(p[:min(len(p), headBytes-h.text.Len())])
	return len(p), nil
}

// run runs a program to its end or to a limit, and everything it started.
func (l limits) run(ctx context.Context, path, dir string, args, env []string) outcome {
	if l.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.timeout)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, path, args...)
	var out head
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	confine(cmd)
	err := cmd.Start()
	if err == nil {
		bound(cmd.Process.Pid, l.memory)
		err = cmd.Wait()
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	o := outcome{output: out.text.String(), failed: err != nil}
	if o.failed && o.output == "" {
		o.output = err.Error()
	}
	o.timedOut = ctx.Err() != nil
	o.tooMuch = o.failed && (strings.Contains(o.output, "out of memory") || strings.Contains(o.output, "cannot allocate memory"))
	return o
}

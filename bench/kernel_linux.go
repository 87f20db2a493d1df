package main

// Running the kernel's tools in a network namespace of their own.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// toolPatience is how long a tool may take to read the rules.
	toolPatience = 30 * time.Second
	// toolRuns is the number of changes by each tool; the median counts.
	toolRuns = 5
)

// kernelChanges times the tools on n rules. find finds a program.
func kernelChanges(n int, find func(program string) (string, error)) *kernelTimes {
	k := &kernelTimes{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread is never unlocked, so that it ends with the goroutine, and
		// the namespace with it. Programs inherit the namespace from the thread
		// that starts them.
		runtime.LockOSThread()
		why := enterNamespace()
		for _, t := range kernelTools() {
			err := why
			var took time.Duration
			if err == nil {
				took, err = t.run(n, find)
			}
			if err == nil {
				*t.into(k) = new(micros(took))
				continue
			}
			if k.Skipped == nil {
				k.Skipped = map[string]string{}
			}
			k.Skipped[t.name] = err.Error()
		}
	}()
	<-done
	return k
}

func enterNamespace() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root")
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("no network namespace of its own: %w", err)
	}
	return nil
}

// run loads n rules and returns the median time of a change.
func (t *kernelTool) run(n int, find func(string) (string, error)) (time.Duration, error) {
	for _, program := range []string{t.load[0], t.change[0]} {
		if _, err := find(program); err != nil {
			return 0, fmt.Errorf("there is no %s", program)
		}
	}
	if err := command(t.load, t.input(n), find); err != nil {
		return 0, err
	}
	var all []time.Duration
	for i := range toolRuns {
		args := slices.Clone(t.change)
		if last := &args[len(args)-1]; strings.Contains(*last, "%d") {
			*last = fmt.Sprintf(*last, i+1)
		}
		start := time.Now()
		if err := command(args, "", find); err != nil {
			return 0, err
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// command runs a program to its end.
func command(args []string, input string, find func(string) (string, error)) error {
	path, err := find(args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), toolPatience)
	defer cancel()
	c := exec.CommandContext(ctx, path, args[1:]...)
	c.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err = c.Run(); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s takes more than %s", args[0], toolPatience)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	return fmt.Errorf("%s: %w: %s", args[0], err, line)
}

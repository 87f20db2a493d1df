package main

// Limits by Linux: a process group that is ended as a whole, and a bound on the
// address space.

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

func bound(pid int, memory uint64) {
	if memory > 0 {
		_ = unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: memory, Max: memory}, nil)
	}
}

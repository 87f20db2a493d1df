//go:build unix

package compare

import (
	"os/exec"
	"syscall"
)

// apart gives a program a group of its own, which keeps an interrupt on the terminal
// from it: whoever started it ends it, and knows why.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a program that runs apart, and what it has started.
func killGroup(c *exec.Cmd) error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }

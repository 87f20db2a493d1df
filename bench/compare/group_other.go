//go:build !unix

package compare

import "os/exec"

func apart(*exec.Cmd) {}

func killGroup(c *exec.Cmd) error { return c.Process.Kill() }

//go:build unix

package compare

import (
	"os/exec"
	"syscall"
)

// apart keeps an interrupt on the terminal from a program: whoever started it ends
// it, and knows why.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

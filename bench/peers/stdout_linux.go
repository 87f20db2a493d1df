package main

// Standard output is for replies alone: what libraries print goes to stderr.

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// replies returns what was standard output.
func replies() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err == nil {
		err = unix.Dup3(2, 1, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	return os.NewFile(uintptr(fd), "replies"), nil
}
